package headgate;

import org.apache.flink.api.python.shaded.org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.ExplainDetail;
import org.apache.flink.table.api.TableEnvironment;
import org.apache.flink.table.runtime.arrow.ArrowUtils;
import org.apache.flink.table.types.logical.IntType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.RowType;

/** Has the JVM load Flink's planner and Arrow while its cluster starts: the first statement needs them. */
public class Warm implements Runnable {
    public void begin() {
        Thread thread = new Thread(this, "headgate-warm");
        thread.setDaemon(true);
        thread.setContextClassLoader(getClass().getClassLoader());
        thread.start();
    }

    public void run() {
        try {
            EnvironmentSettings settings = EnvironmentSettings.newInstance()
                    .withClassLoader(getClass().getClassLoader()).build();
            TableEnvironment env = TableEnvironment.create(settings);
            env.explainSql("SELECT 1", new ExplainDetail[] {ExplainDetail.CHANGELOG_MODE});
            RowType row = RowType.of(new LogicalType[] {new IntType()});
            VectorSchemaRoot.create(ArrowUtils.toArrowSchema(row), ArrowUtils.getRootAllocator()).close();
        } catch (Throwable error) {
            return; // whoever needs it next is told what is wrong
        }
    }
}
