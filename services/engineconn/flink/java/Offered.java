package headgate;

import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Enumeration;
import java.util.List;

/** Loads our classes, and hides the connectors of flink-python: they open files past Flink's file systems. */
public class Offered extends URLClassLoader {
    public Offered(URL[] urls, ClassLoader parent) {
        super(urls, parent);
    }

    public Enumeration getResources(String name) throws IOException {
        Enumeration found = super.getResources(name);
        if (!name.equals("META-INF/services/org.apache.flink.table.factories.Factory")) {
            return found;
        }
        List offered = new ArrayList();
        while (found.hasMoreElements()) {
            URL url = (URL) found.nextElement();
            if (url.toString().indexOf("flink-python") < 0) {
                offered.add(url);
            }
        }
        return Collections.enumeration(offered);
    }
}
