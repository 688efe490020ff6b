import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Scanner;
import java.util.concurrent.CountDownLatch;
import java.util.zip.Deflater;

/** Does to its memory what the lines that it reads name. */
public class Memory {
    private static final List<Object> kept = new ArrayList<>();

    public static void main(String[] words) throws Exception {
        System.out.println("ready");
        Scanner lines = new Scanner(System.in);
        while (lines.hasNextLine()) {
            act(lines.nextLine());
            System.out.println("done");
        }
    }

    private static void act(String line) throws Exception {
        switch (line) {
            case "heap" -> { for (int i = 0; i < 300; i++) kept.add(new byte[(1 << 20) - 64]); }
            case "direct" -> { for (int i = 0; i < 25; i++) kept.add(filled(ByteBuffer.allocateDirect(10 << 20))); }
            case "threads" -> threads(300);
            case "deflate" -> { for (int i = 0; i < 300; i++) kept.add(deflater()); }
            case "deflate-and-end" -> {
                List<Deflater> all = new ArrayList<>();
                for (int i = 0; i < 300; i++) all.add(deflater());
                for (Deflater deflater : all) deflater.end();
            }
            case "objects" -> { for (int i = 0; i < 1_000_000; i++) kept.add(new Loaded()); }
            case "loaders" -> { for (int i = 0; i < 3000; i++) kept.add(new Copies().loadClass("Memory$Loaded").getDeclaredConstructor().newInstance()); }
            case "free" -> { kept.clear(); for (int i = 0; i < 4; i++) System.gc(); }
            default -> throw new IllegalArgumentException(line);
        }
    }

    private static ByteBuffer filled(ByteBuffer buffer) {
        for (int at = 0; at < buffer.capacity(); at += 4096) buffer.put(at, (byte) 1);
        return buffer;
    }

    private static void threads(int count) throws Exception {
        CountDownLatch started = new CountDownLatch(count);
        for (int i = 0; i < count; i++) {
            Thread thread = new Thread(() -> {
                started.countDown();
                try { new CountDownLatch(1).await(); } catch (InterruptedException end) { return; }
            }, "worker-" + i);
            thread.setDaemon(true);
            thread.start();
        }
        started.await();
    }

    private static Deflater deflater() {
        Deflater deflater = new Deflater();
        deflater.setInput(new byte[100_000]);
        deflater.finish();
        deflater.deflate(new byte[1000]);
        return deflater;
    }

    public static class Loaded { public int value; public int doubled() { return 2 * value; } }

    /** A class loader that defines the class itself, so that each has its own copy. */
    private static class Copies extends ClassLoader {
        @Override protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
            if (!name.equals("Memory$Loaded")) return super.loadClass(name, resolve);
            try (var in = Memory.class.getResourceAsStream("Memory$Loaded.class")) {
                byte[] code = in.readAllBytes();
                return defineClass(name, code, 0, code.length);
            } catch (java.io.IOException error) {
                throw new ClassNotFoundException(name, error);
            }
        }
    }
}
