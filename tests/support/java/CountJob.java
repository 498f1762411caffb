package headgate.tests;

import java.util.HashMap;
import java.util.Map;
import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.api.common.functions.RichMapFunction;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/** Counts numbers by their remainder and prints the counts; arguments (name=value) say how many, how fast, what fails. */
public class CountJob {
    public static void main(String[] arguments) throws Exception {
        Map<String, String> given = new HashMap<>();
        for (String argument : arguments) {
            String[] pair = argument.split("=", 2);
            given.put(pair[0], pair[1]);
        }
        if (given.containsKey("throws")) {
            throw new RuntimeException("cannot begin", new IllegalStateException(given.get("throws")));
        }
        if (given.containsKey("nothing")) {
            return;
        }
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        env.fromSequence(1, Long.parseLong(given.getOrDefault("to", "1000000"))).uid("numbers")
                .map(new Slow(Long.parseLong(given.getOrDefault("delay", "0")), given.get("fail-at"))).uid("slow")
                .keyBy(new Remainder())
                .map(new Count()).uid(given.getOrDefault("uid", "count"))
                .print();
        env.execute(given.getOrDefault("name", "counts"));
    }

    private static class Slow implements MapFunction<Long, Long> {
        private final long delay;
        private final String failAt;

        Slow(long delay, String failAt) {
            this.delay = delay;
            this.failAt = failAt;
        }

        @Override
        public Long map(Long number) throws Exception {
            if (String.valueOf(number).equals(failAt)) {
                throw new IllegalArgumentException("number " + number + " is not welcome");
            }
            Thread.sleep(delay);
            return number;
        }
    }

    private static class Remainder implements org.apache.flink.api.java.functions.KeySelector<Long, Long> {
        @Override
        public Long getKey(Long number) {
            return number % 2;
        }
    }

    private static class Count extends RichMapFunction<Long, String> {
        @Override
        public String map(Long number) throws Exception {
            ValueState<Long> state = getRuntimeContext().getState(new ValueStateDescriptor<>("count", Long.class));
            long count = state.value() == null ? 1 : state.value() + 1;
            state.update(count);
            return "counted " + count + " with remainder " + number % 2;
        }
    }
}
