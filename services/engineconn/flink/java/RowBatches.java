package headgate;

import java.io.ByteArrayOutputStream;
import java.lang.reflect.Field;
import java.nio.channels.Channels;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.flink.api.python.shaded.org.apache.arrow.memory.BufferAllocator;
import org.apache.flink.api.python.shaded.org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.flink.api.python.shaded.org.apache.arrow.vector.ipc.ArrowStreamWriter;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.data.binary.BinaryRowData;
import org.apache.flink.table.runtime.arrow.ArrowUtils;
import org.apache.flink.table.runtime.arrow.ArrowWriter;
import org.apache.flink.table.types.logical.ArrayType;
import org.apache.flink.table.types.logical.BinaryType;
import org.apache.flink.table.types.logical.CharType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.MapType;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.table.types.logical.VarBinaryType;
import org.apache.flink.table.types.logical.VarCharType;
import org.apache.flink.util.CloseableIterator;

/** A query's rows as Arrow record batches, each closed by count, size or time: slow rows are seen too. */
public class RowBatches implements Runnable {
    private static final Object END = new Object();
    private static final long LARGEST_BATCH = 8L << 20;
    private static final int SOON_MILLIS = 5;
    private static final int LATER_MILLIS = 100;

    private final ArrayBlockingQueue waiting = new ArrayBlockingQueue(256);
    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    private final StringBuilder kinds = new StringBuilder();
    private BufferAllocator allocator;
    private VectorSchemaRoot root;
    private ArrowWriter writer;
    private ArrowStreamWriter stream;
    private CloseableIterator rows;
    private Thread reader;
    private volatile Throwable failure;

    /** Begins; the Arrow schema of what is to come. */
    public byte[] open(RowType asked) throws Exception {
        RowType type = (RowType) writable(asked);
        allocator = ArrowUtils.getRootAllocator().newChildAllocator("headgate", 0, Long.MAX_VALUE);
        root = VectorSchemaRoot.create(ArrowUtils.toArrowSchema(type), allocator);
        writer = ArrowUtils.createRowDataArrowWriter(root, type);
        stream = new ArrowStreamWriter(root, null, Channels.newChannel(bytes));
        stream.start();
        return take();
    }

    /** Starts to read the rows of a running query. */
    public void read(CloseableIterator rows) {
        this.rows = rows;
        askEvery(SOON_MILLIS);
        reader = new Thread(this, "headgate-rows");
        reader.setDaemon(true);
        reader.start();
    }

    public void run() {
        try {
            while (rows.hasNext()) {
                waiting.put(rows.next());
            }
        } catch (Throwable error) {
            failure = error;
        }
        try {
            waiting.put(END);
        } catch (InterruptedException closed) {
            return;
        }
    }

    /** The next batch; empty when no row came in time, null at the end. Throws what the query died of. */
    public byte[] next(int mostRows, long mostMillis) throws Throwable {
        kinds.setLength(0);
        long until = System.nanoTime() + mostMillis * 1000000L;
        long size = 0;
        while (kinds.length() < mostRows && size < LARGEST_BATCH) {
            Object row = waiting.poll(Math.max(0L, until - System.nanoTime()), TimeUnit.NANOSECONDS);
            if (row == null) {
                break;
            }
            if (row == END) {
                if (failure != null) {
                    throw failure;
                }
                if (kinds.length() == 0) {
                    return null;
                }
                waiting.put(END);
                break;
            }
            writer.write(row);
            size += row instanceof BinaryRowData ? ((BinaryRowData) row).getSizeInBytes() : 0;
            kinds.append((char) ('0' + ((RowData) row).getRowKind().toByteValue()));
        }
        if (kinds.length() == 0) {
            askEvery(LATER_MILLIS);
            return new byte[0];
        }
        askEvery(SOON_MILLIS);
        writer.finish();
        stream.writeBatch();
        writer.reset();
        return take();
    }

    /** The kind of each row of the last batch: a digit, as Flink numbers them. */
    public String kinds() {
        return kinds.toString();
    }

    /** Ends the query, if it still runs, and frees what is held. May be called at any time. */
    public void close() throws Exception {
        if (rows != null) {
            rows.close();
        }
        if (reader != null) {
            reader.interrupt();
        }
        if (root != null) {
            root.close();
            allocator.close();
        }
    }

    /**
     * How soon the job is asked for rows again when it had none. Flink always takes 100 ms, twice for the shortest
     * query, and offers no way to choose; a Flink that keeps the interval elsewhere is only slower.
     */
    private void askEvery(int millis) {
        try {
            Object fetcher = value(value(rows, "iterator"), "fetcher");
            field(fetcher, "retryMillis").setInt(fetcher, millis);
        } catch (Exception unknown) {
            return;
        }
    }

    private static Object value(Object of, String name) throws Exception {
        return field(of, name).get(of);
    }

    private static Field field(Object of, String name) throws Exception {
        Field field = of.getClass().getDeclaredField(name);
        field.setAccessible(true);
        return field;
    }

    /** The type with what Flink's Arrow writer refuses replaced by what has the same form in memory. */
    private static LogicalType writable(LogicalType type) {
        if (type instanceof CharType) {
            return new VarCharType(type.isNullable(), VarCharType.MAX_LENGTH);
        }
        if (type instanceof BinaryType) {
            return new VarBinaryType(type.isNullable(), VarBinaryType.MAX_LENGTH);
        }
        if (type instanceof ArrayType) {
            return new ArrayType(type.isNullable(), writable(((ArrayType) type).getElementType()));
        }
        if (type instanceof MapType) {
            MapType map = (MapType) type;
            LogicalType key = writable(map.getKeyType()).copy(false);
            return new MapType(type.isNullable(), key, writable(map.getValueType()));
        }
        if (type instanceof RowType) {
            List fields = new ArrayList();
            for (Iterator i = ((RowType) type).getFields().iterator(); i.hasNext();) {
                RowType.RowField field = (RowType.RowField) i.next();
                fields.add(new RowType.RowField(field.getName(), writable(field.getType())));
            }
            return new RowType(type.isNullable(), fields);
        }
        return type;
    }

    private byte[] take() {
        byte[] taken = bytes.toByteArray();
        bytes.reset();
        return taken;
    }
}
