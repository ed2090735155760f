import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.Iterator;

import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;

import io.delta.storage.LocalLogStore;

/**
 * Delta's log store for local files that can pause one commit: the next one after the system
 * property `dmslake.hold` is set to a folder. It creates `spark-at` there and waits for
 * `spark-go`.
 */
public class HeldLogStore extends LocalLogStore {
    private static final int PATIENCE_MILLIS = 300_000;

    public HeldLogStore(Configuration configuration) {
        super(configuration);
    }

    @Override
    public void write(Path path, Iterator<String> actions, Boolean overwrite, Configuration conf)
            throws IOException {
        String folder = System.getProperty("dmslake.hold");
        if (folder != null && path.getName().matches("\\d+\\.json")) {
            System.clearProperty("dmslake.hold");
            Files.createFile(Paths.get(folder, "spark-at"));
            await(Paths.get(folder, "spark-go"));
        }
        super.write(path, actions, overwrite, conf);
    }

    private static void await(java.nio.file.Path mark) throws IOException {
        for (int waited = 0; !Files.exists(mark); waited += 5) {
            if (waited > PATIENCE_MILLIS) {
                throw new IOException("the paused commit was not resumed in time");
            }
            try {
                Thread.sleep(5);
            } catch (InterruptedException interrupted) {
                throw new IOException(interrupted);
            }
        }
    }
}
