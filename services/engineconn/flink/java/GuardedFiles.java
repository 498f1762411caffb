package headgate;

import java.io.File;
import java.io.IOException;
import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.core.fs.FileSystem;
import org.apache.flink.core.fs.FileSystemFactory;
import org.apache.flink.core.fs.Path;
import org.apache.flink.core.fs.local.LocalFileSystem;

/** Flink's local files, of which a job reaches only those under the given folders, whatever names them in its SQL. */
public class GuardedFiles extends LocalFileSystem implements FileSystemFactory {
    private static final List ROOTS = new ArrayList();
    private static final String KEY = "headgate.files";

    /** In a process of the cluster's own, Flink says which folders these are, with | between. */
    public void configure(Configuration configuration) {
        String[] roots = configuration.getString(KEY, "").split("\\|");
        for (int i = 0; i < roots.length; i++) {
            if (roots[i].length() > 0) {
                add(roots[i]);
            }
        }
    }

    /** Flink gets this file system for file: paths from now on. Files under other folders are refused. */
    public void guard(List roots) throws Exception {
        for (int i = 0; i < roots.size(); i++) {
            add((String) roots.get(i));
        }
        FileSystem.initialize(new Configuration(), null);
        if (!(FileSystem.get(new URI("file:///")) instanceof GuardedFiles)) {
            throw new IllegalStateException("Flink does not take the guarded file system");
        }
    }

    public String getScheme() {
        return "file";
    }

    public FileSystem create(URI uri) {
        return this;
    }

    public File pathToFile(Path path) {
        File file = super.pathToFile(path);
        try {
            String real = real(file);
            for (int i = 0; i < ROOTS.size(); i++) {
                String root = (String) ROOTS.get(i);
                if (real.equals(root) || real.startsWith(root + File.separator)) {
                    return file;
                }
            }
        } catch (IOException error) {
            throw new SecurityException("path " + path + " cannot be resolved: " + error.getMessage());
        }
        throw new SecurityException("path " + path + " lies outside of your workspace; use a path under ${workspace},"
                + " or have its folder allowed with HEADGATE_FLINK_PATHS");
    }

    private static void add(String folder) {
        try {
            ROOTS.add(real(new File(folder)));
        } catch (IOException error) {
            throw new IllegalArgumentException("folder " + folder + " cannot be resolved: " + error.getMessage());
        }
    }

    /** Without links and dots, also of a file that is not there yet. */
    private static String real(File file) throws IOException {
        return file.getAbsoluteFile().getCanonicalPath();
    }
}
