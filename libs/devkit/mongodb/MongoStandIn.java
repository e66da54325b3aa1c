import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.wire.message.MongoMessage;
import java.net.InetSocketAddress;
import java.util.List;

/** Serves mongo-java-server over one file: {@code MongoStandIn HOST PORT FILE}. */
public final class MongoStandIn {

    /** PyMongo refuses the highest version that mongo-java-server announces by itself (wire version 8). */
    private record Version(List<Integer> getVersionArray, int getWireVersion) implements MongoVersion {
        static final Version MONGODB_5_0 = new Version(List.of(5, 0, 0), 13);
    }

    /** Commits before it answers, one command at a time, so that what was acknowledged survives a SIGKILL. */
    private static final class DurableBackend extends H2Backend {
        DurableBackend(String file) {
            super(file);
            version(Version.MONGODB_5_0);
        }

        @Override
        public synchronized Document handleMessage(MongoMessage message) {
            try {
                return super.handleMessage(message);
            } finally {
                getMvStore().commit();
            }
        }
    }

    public static void main(String[] arguments) {
        MongoServer server = new MongoServer(new DurableBackend(arguments[2]));
        Runtime.getRuntime().addShutdownHook(new Thread(server::shutdownNow));
        server.bind(new InetSocketAddress(arguments[0], Integer.parseInt(arguments[1])));
    }

    private MongoStandIn() {}
}
