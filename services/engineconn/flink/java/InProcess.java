package headgate;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.concurrent.CompletableFuture;
import org.apache.flink.api.common.JobSubmissionResult;
import org.apache.flink.api.dag.Pipeline;
import org.apache.flink.client.deployment.executors.PipelineExecutorUtils;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.DeploymentOptions;
import org.apache.flink.core.execution.PipelineExecutor;
import org.apache.flink.core.execution.PipelineExecutorFactory;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.runtime.minicluster.MiniClusterJobClient;

/**
 * Gives jobs to the cluster of this very JVM. Flink's own way to a running cluster is REST: it uploads each job as a
 * file, and asks in growing intervals, each time with a new HTTP client, whether the job has begun and has ended.
 */
public class InProcess implements PipelineExecutorFactory, PipelineExecutor {
    private static final String NAME = "headgate";
    private static volatile MiniCluster cluster;

    /** Jobs whose execution.target is `headgate` run here from now on. */
    public void use(MiniCluster cluster) {
        InProcess.cluster = cluster;
    }

    public String getName() {
        return NAME;
    }

    public boolean isCompatibleWith(Configuration configuration) {
        return NAME.equals(configuration.get(DeploymentOptions.TARGET));
    }

    public PipelineExecutor getExecutor(Configuration configuration) {
        return this;
    }

    public CompletableFuture execute(Pipeline pipeline, Configuration configuration, ClassLoader loader)
            throws Exception {
        Object graph = graph(pipeline, configuration, loader);
        Method submit = named(MiniCluster.class, "submitJob");
        CompletableFuture submitted = (CompletableFuture) call(submit, cluster, new Object[] {graph});
        JobSubmissionResult result = (JobSubmissionResult) submitted.get();
        return CompletableFuture.completedFuture(new MiniClusterJobClient(
                result.getJobID(), cluster, loader, MiniClusterJobClient.JobFinalizationBehavior.NOTHING));
    }

    /** What the cluster takes: Flink 1 a job graph, Flink 2 a stream graph. */
    private static Object graph(Pipeline pipeline, Configuration configuration, ClassLoader loader) throws Exception {
        Method make = named(PipelineExecutorUtils.class, "getStreamGraph");
        if (make != null) {
            return call(make, null, new Object[] {pipeline, configuration});
        }
        make = named(PipelineExecutorUtils.class, "getJobGraph");
        return call(make, null, new Object[] {pipeline, configuration, loader});
    }

    private static Method named(Class owner, String name) {
        Method[] methods = owner.getMethods();
        for (int i = 0; i < methods.length; i++) {
            if (methods[i].getName().equals(name)) {
                return methods[i];
            }
        }
        return null;
    }

    private static Object call(Method method, Object of, Object[] arguments) throws Exception {
        try {
            return method.invoke(of, arguments);
        } catch (InvocationTargetException error) {
            if (error.getCause() instanceof Exception) {
                throw (Exception) error.getCause();
            }
            throw error;
        }
    }
}
