package headgate;

import java.io.DataInputStream;
import java.io.File;
import java.io.FileInputStream;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Set;
import org.apache.flink.client.program.PackagedProgram;
import org.apache.flink.client.program.PackagedProgramUtils;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.runtime.OperatorIDPair;
import org.apache.flink.runtime.checkpoint.Checkpoints;
import org.apache.flink.runtime.checkpoint.OperatorState;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.runtime.checkpoint.metadata.CheckpointMetadata;
import org.apache.flink.runtime.jobgraph.JobGraph;
import org.apache.flink.runtime.jobgraph.JobVertex;

/** Compares a savepoint with a job that shall go on from it: by the ids of operators, as Flink does when it restores. */
public class StateCheck {
    /** Of each operator whose state the job has no operator for: id, name where the savepoint tells it, bytes. */
    public List dropped(String jar, String entryClass, List arguments, Configuration settings, int parallelism,
            String metadata) throws Exception {
        Set there = operators(jar, entryClass, arguments, settings, parallelism);
        List dropped = new ArrayList();
        DataInputStream in = new DataInputStream(new FileInputStream(metadata));
        try {
            CheckpointMetadata saved = Checkpoints.loadCheckpointMetadata(
                    in, getClass().getClassLoader(), new File(metadata).getParent());
            for (Iterator i = saved.getOperatorStates().iterator(); i.hasNext();) {
                OperatorState state = (OperatorState) i.next();
                if (holds(state) && !there.contains(state.getOperatorID())) {
                    dropped.add(new String[] {
                        state.getOperatorID().toString(), name(state), String.valueOf(state.getStateSize())});
                }
            }
        } finally {
            in.close();
        }
        return dropped;
    }

    private static Set operators(String jar, String entryClass, List arguments, Configuration settings, int parallelism)
            throws Exception {
        PackagedProgram.Builder builder = PackagedProgram.newBuilder();
        builder.setJarFile(new File(jar));
        builder.setArguments((String[]) arguments.toArray(new String[0]));
        builder.setConfiguration(settings);
        if (entryClass.length() > 0) {
            builder.setEntryPointClassName(entryClass);
        }
        PackagedProgram program = builder.build();
        Set ids = new HashSet();
        try {
            JobGraph graph = PackagedProgramUtils.createJobGraph(program, settings, parallelism, true);
            for (Iterator i = graph.getVertices().iterator(); i.hasNext();) {
                for (Iterator j = ((JobVertex) i.next()).getOperatorIDs().iterator(); j.hasNext();) {
                    OperatorIDPair pair = (OperatorIDPair) j.next();
                    ids.add(pair.getGeneratedOperatorID());
                    if (pair.getUserDefinedOperatorID().isPresent()) {
                        ids.add(pair.getUserDefinedOperatorID().get());
                    }
                }
            }
        } finally {
            program.close();
        }
        return ids;
    }

    private static boolean holds(OperatorState state) {
        if (state.getCoordinatorState() != null) {
            return true;
        }
        for (Iterator i = state.getStates().iterator(); i.hasNext();) {
            if (((OperatorSubtaskState) i.next()).hasState()) {
                return true;
            }
        }
        return false;
    }

    /** Before 2.0 a savepoint does not tell it. */
    private static String name(OperatorState state) {
        try {
            Object name = state.getClass().getMethod("getOperatorName", new Class[0]).invoke(state, new Object[0]);
            return (String) name.getClass().getMethod("orElse", new Class[] {Object.class})
                    .invoke(name, new Object[] {""});
        } catch (Exception older) {
            return "";
        }
    }
}
