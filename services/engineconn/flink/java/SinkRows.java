package headgate;

import java.io.FileWriter;
import java.io.IOException;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Metric;
import org.apache.flink.metrics.MetricConfig;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.metrics.reporter.MetricReporter;
import org.apache.flink.metrics.reporter.MetricReporterFactory;

/**
 * Keeps, for each job, the counters of records that its sinks took in, also after the job has ended. A task manager in
 * a process of its own writes them to a file: a line when a counter comes to be, and one with its last value.
 */
public class SinkRows implements MetricReporterFactory, MetricReporter {
    private static final Map JOBS = new ConcurrentHashMap();
    private static final List FILE_WRITERS = Arrays.asList(
            new String[] {"StreamingFileWriter", "streaming-writer", "batch_writer"});
    private static String file;

    /** Rows written by a job, which is forgotten then; -1 when it had no sink that counts. */
    public long take(String job) {
        Map counters = (Map) JOBS.remove(job);
        if (counters == null) {
            return -1;
        }
        long rows = 0;
        synchronized (counters) {
            for (Iterator i = counters.values().iterator(); i.hasNext();) {
                rows += ((Counter) i.next()).getCount();
            }
        }
        return rows;
    }

    public MetricReporter createMetricReporter(Properties properties) {
        return this;
    }

    public void open(MetricConfig config) {
        file = config.getString("file", null);
    }

    public void close() {}

    public void notifyOfRemovedMetric(Metric metric, String name, MetricGroup group) {
        if (file != null && counts(metric, name, group)) {
            Map scope = group.getAllVariables();
            write(scope.get("<job_id>") + " " + key(scope) + " " + ((Counter) metric).getCount());
        }
    }

    public void notifyOfAddedMetric(Metric metric, String name, MetricGroup group) {
        if (!counts(metric, name, group)) {
            return;
        }
        Map scope = group.getAllVariables();
        if (file != null) {
            write(scope.get("<job_id>") + " " + key(scope));
            return;
        }
        JOBS.putIfAbsent(scope.get("<job_id>"), new HashMap());
        Map counters = (Map) JOBS.get(scope.get("<job_id>"));
        synchronized (counters) { // a restarted subtask counts anew
            counters.put(key(scope), metric);
        }
    }

    private static boolean counts(Metric metric, String name, MetricGroup group) {
        if (!name.equals("numRecordsIn") || !(metric instanceof Counter)) {
            return false;
        }
        String operator = (String) group.getAllVariables().get("<operator_name>");
        return operator != null && writes(operator);
    }

    private static String key(Map scope) {
        String key = (String) scope.get("<operator_name>") + scope.get("<operator_id>") + scope.get("<subtask_index>");
        return key.replaceAll("\\s", "_");
    }

    private static synchronized void write(String line) {
        try {
            FileWriter writer = new FileWriter(file, true);
            writer.write(line + "\n");
            writer.close();
        } catch (IOException full) {
            return; // a count that nobody is told
        }
    }

    private static boolean writes(String operator) {
        if (operator.startsWith("end: ") || operator.endsWith("Collect table sink")) {
            return false; // behind a file sink, which has counted already; or what a query gives to its reader
        }
        return operator.startsWith("Sink: ") || operator.endsWith(": Writer") || FILE_WRITERS.contains(operator);
    }
}
