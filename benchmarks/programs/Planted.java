import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.ArrayList;

/** Holds what its words name: dBYTES of direct memory, fFILE mapped, t for a thread. */
public final class Planted {
    static final ArrayList<Object> held = new ArrayList<>();

    public static void main(String[] words) throws Exception {
        for (var word : words) {
            var rest = word.substring(1);
            switch (word.charAt(0)) {
                case 'd' -> held.add(ByteBuffer.allocateDirect(Integer.parseInt(rest)));
                case 'f' -> {
                    var file = FileChannel.open(Path.of(rest));
                    held.add(file.map(FileChannel.MapMode.READ_ONLY, 0, file.size()));
                }
                default -> {
                    var thread = new Thread(java.util.concurrent.locks.LockSupport::park);
                    thread.setDaemon(true);
                    thread.start();
                }
            }
        }
        System.out.println("ready");
        System.in.read();
    }
}
