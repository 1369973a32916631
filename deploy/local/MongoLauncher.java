import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.exception.MongoServerError;
import de.bwaldvogel.mongo.wire.message.MongoMessage;
import java.io.File;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import org.h2.mvstore.Cursor;
import org.h2.mvstore.MVMap;
import org.h2.mvstore.MVStore;

/**
 * The embedded database: MongoDB's wire protocol over one H2 MVStore file, made durable.
 *
 * <p>Usage: {@code java MongoLauncher <file> <address> <port>}. Ends on SIGTERM, with the file closed.
 *
 * <p>The library commits late, in the background. Here a write is answered only after the file has been
 * committed and forced to disk, and a commit never contains half of another client's operation.
 */
public final class MongoLauncher {

    /** Commands which change nothing. Whatever is not in this list is committed before it is answered. */
    private static final Set<String> READS = Set.of(
            "aggregate", "buildInfo", "buildinfo", "collStats", "connectionStatus", "count", "dbStats",
            "distinct", "endSessions", "find", "getCmdLineOpts", "getLastError", "getLog", "getMore",
            "getParameter", "hello", "hostInfo", "isMaster", "ismaster", "killCursors", "listCollections",
            "listDatabases", "listIndexes", "ping", "serverStatus", "validate", "whatsmyuri");

    private static final int CACHE_MEGABYTES = 64;
    private static final int RETENTION_MILLIS = 5_000;

    private MongoLauncher() {}

    public static void main(String[] arguments) throws Exception {
        MVStore store = new MVStore.Builder()
                .fileName(arguments[0])
                .autoCommitDisabled()
                .cacheSize(CACHE_MEGABYTES)
                .open();
        // How long the place of a superseded page stays untouched. The default of 45 s is for those who do not
        // force every commit to disk; with it, a busy minute makes the file grow by a gigabyte.
        store.setRetentionTime(RETENTION_MILLIS);
        DurableBackend backend = new DurableBackend(store, new File(arguments[0]));
        backend.version(new Version());
        MongoServer server = new MongoServer(backend);
        CountDownLatch ended = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            server.shutdownNow();
            ended.countDown();
        }));
        server.bind(new InetSocketAddress(arguments[1], Integer.parseInt(arguments[2])));
        Thread housekeeping = new Thread(backend::keepHouse, "housekeeping");
        housekeeping.setDaemon(true);
        housekeeping.start();
        System.out.println("ready");
        ended.await();
    }

    /** pymongo refuses a wire version below 9; the library tells 6 or 8 and works with the calls of 13 (5.0). */
    private static final class Version implements MongoVersion {

        @Override
        public List<Integer> getVersionArray() {
            return List.of(5, 0, 0);
        }

        @Override
        public int getWireVersion() {
            return 13;
        }
    }

    /** Answers a write after commit and sync; concurrent writers share one of each. */
    private static final class DurableBackend extends H2Backend {

        private static final String RECORDS = "databases."; // H2Database's prefix of the maps that hold them
        private static final int OUT_OF_DISK_SPACE = 14031; // MongoDB's own code for it
        private static final int SHUTDOWN_IN_PROGRESS = 91; // also MongoDB's: a client takes it as "not now, ask again"
        private static final long RESERVE_BYTES = 64L * 1024 * 1024;
        private static final long HOUSEKEEPING_MILLIS = 1_000;
        private static final int CHUNK_FILL_PERCENT = 50;
        private static final int COMPACT_BYTES = 8 * 1024 * 1024;
        private static final int FILE_FILL_PERCENT = 70;
        private static final int SHRINK_MILLIS = 200;
        private static final long SMALL_FILE_BYTES = 16L * 1024 * 1024;

        private final MVStore store;
        private final File file;
        private final long reserve;
        /** Operations hold the shared side, a commit the exclusive one: so it sees whole operations only. */
        private final ReentrantReadWriteLock gate = new ReentrantReadWriteLock(true);
        /** One lock per collection: the library changes a stored document in place, and answers a reader with the
         * very same object, so without it a reader would be told half of a change (a new revision with old fields). */
        private final Map<String, ReentrantReadWriteLock> contents = new ConcurrentHashMap<>();
        private final Object flushing = new Object();
        private final AtomicLong written = new AtomicLong();
        private long flushed;
        private long flushedAtLastHousekeeping;
        private long flushedWhenShrunk = -1;

        DurableBackend(MVStore store, File file) {
            super(store);
            this.store = store;
            this.file = file;
            this.reserve = Math.min(RESERVE_BYTES, file.getTotalSpace() / 8);
        }

        @Override
        public Document handleMessage(MongoMessage message) {
            try {
                return handle(message);
            } catch (RuntimeException problem) {
                if (store.isClosed()) {
                    // By an input/output error. Housekeeping ends the process; started anew, it answers.
                    throw new MongoServerError(SHUTDOWN_IN_PROGRESS, "ShutdownInProgress", "the database starts anew");
                }
                throw problem;
            }
        }

        private Document handle(MongoMessage message) {
            ReentrantReadWriteLock content = contentOf(message);
            if (isRead(message.getDocument())) {
                content.readLock().lock();
                try {
                    Document page = pageByKey(message);
                    return (page != null ? page : super.handleMessage(message)).cloneDeeply();
                } finally {
                    content.readLock().unlock();
                }
            }
            // The store closes itself when a commit finds the disk full, and reading would end with it.
            if (isFull()) {
                throw new MongoServerError(OUT_OF_DISK_SPACE, "OutOfDiskSpace", "the database's disk is full");
            }
            Document answer;
            long ticket;
            content.writeLock().lock();
            gate.readLock().lock();
            try {
                answer = super.handleMessage(message).cloneDeeply();
            } finally {
                ticket = written.incrementAndGet();
                gate.readLock().unlock();
                content.writeLock().unlock();
            }
            flush(ticket);
            return answer;
        }

        /** Some records in the order of their keys, those after one key: how a large collection is read from end to end.
         * The library would look at every record for each such page, and keep all of them in memory without pages.
         * Returns null when the command asks for something else. */
        private Document pageByKey(MongoMessage message) {
            Document command = message.getDocument();
            if (!(command.get("find") instanceof String collection)
                    || !(command.get("limit") instanceof Number limit) || limit.intValue() <= 0
                    || !(command.get("sort") instanceof Document sort) || !sort.keySet().equals(Set.of("_id"))
                    || !(sort.get("_id") instanceof Number order) || order.intValue() != 1
                    || command.containsKey("projection") || command.containsKey("skip")) {
                return null;
            }
            Object after = null;
            if (command.get("filter") instanceof Document filter && !filter.isEmpty()) {
                if (!filter.keySet().equals(Set.of("_id")) || !(filter.get("_id") instanceof Document range)
                        || !range.keySet().equals(Set.of("$gt"))) {
                    return null;
                }
                after = range.get("$gt");
            }
            String namespace = message.getDatabaseName() + "." + collection;
            List<Document> found = new ArrayList<>();
            if (store.hasMap(RECORDS + namespace)) {
                MVMap<Object, Document> records = store.openMap(RECORDS + namespace);
                Cursor<Object, Document> each = records.cursor(after);
                while (each.hasNext() && found.size() < limit.intValue()) {
                    if (!each.next().equals(after)) {
                        found.add(each.getValue());
                    }
                }
            }
            Document cursor = new Document("id", 0L).append("ns", namespace).append("firstBatch", found);
            return new Document("cursor", cursor).append("ok", 1.0);
        }

        private boolean isFull() {
            return file.getUsableSpace() < reserve;
        }

        private ReentrantReadWriteLock contentOf(MongoMessage message) {
            Document command = message.getDocument();
            String name = command.keySet().iterator().next();
            Object collection = command.get("getMore".equals(name) ? "collection" : name);
            return contents.computeIfAbsent(message.getDatabaseName() + "." + collection, key -> new ReentrantReadWriteLock());
        }

        private void flush(long ticket) {
            synchronized (flushing) {
                if (flushed >= ticket) {
                    return;
                }
                long reached;
                gate.writeLock().lock();
                try {
                    reached = written.get();
                    store.commit();
                } finally {
                    gate.writeLock().unlock();
                }
                store.sync();
                flushed = reached;
            }
        }

        /** Gives room in the file back, a little every second: the store's own thread is off with its commits. */
        void keepHouse() {
            while (true) {
                try {
                    Thread.sleep(HOUSEKEEPING_MILLIS);
                } catch (InterruptedException interrupted) {
                    return;
                }
                if (store.isClosed()) {
                    // After an input/output error nothing can be answered any more; started anew, it can.
                    System.err.println("The database file was closed; ending, so that it is opened again.");
                    System.exit(1);
                }
                if (isFull()) {
                    continue; // Moving pages needs room before it gives any back, and a commit without it closes the store.
                }
                synchronized (flushing) {
                    boolean idle = flushed == flushedAtLastHousekeeping;
                    flushedAtLastHousekeeping = flushed;
                    boolean changed;
                    gate.writeLock().lock();
                    try {
                        changed = idle && worthShrinking() ? shrink() : store.compact(CHUNK_FILL_PERCENT, COMPACT_BYTES);
                        if (changed) {
                            store.commit();
                        }
                    } finally {
                        gate.writeLock().unlock();
                    }
                    if (changed) {
                        store.sync();
                    }
                }
            }
        }

        private boolean worthShrinking() {
            return flushed != flushedWhenShrunk
                    && file.length() > SMALL_FILE_BYTES
                    && store.getFileStore().getFillRate() < FILE_FILL_PERCENT;
        }

        /** Moves pages to the front of the file and cuts its end off; writers wait meanwhile. */
        private boolean shrink() {
            long before = file.length();
            store.compactFile(SHRINK_MILLIS);
            store.setRetentionTime(RETENTION_MILLIS); // compactFile sets it to 0
            if (file.length() == before) {
                flushedWhenShrunk = flushed; // nothing more to be won until something is written
            }
            return true;
        }

        private static boolean isRead(Document command) {
            String name = command.keySet().iterator().next();
            if (!READS.contains(name)) {
                return false;
            }
            return !"aggregate".equals(name) || !writesItsResult(command);
        }

        private static boolean writesItsResult(Document aggregate) {
            Object pipeline = aggregate.get("pipeline");
            if (!(pipeline instanceof List<?> stages) || stages.isEmpty()) {
                return false;
            }
            Object last = stages.get(stages.size() - 1);
            return last instanceof Document stage && (stage.containsKey("$out") || stage.containsKey("$merge"));
        }
    }
}
