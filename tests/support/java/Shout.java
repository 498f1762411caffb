package headgate.tests;

import org.apache.flink.table.functions.ScalarFunction;

/** A function for SQL. */
public class Shout extends ScalarFunction {
    public String eval(String text) {
        return text.toUpperCase() + "!";
    }
}
