// Threads that wait, a heap that is used, and classes that are loaded; ends with standard input.
// Threads.class beside it is compiled with `javac --release 11 Threads.java`: the Java runtimes of the tests have no compiler.
public class Threads {
    public static void main(String[] arguments) throws Exception {
        int count = Integer.parseInt(arguments[0]);
        for (int number = 0; number < count; number++) {
            Thread thread = new Thread(Threads::rest, "a long name of a worker " + number);
            thread.setDaemon(true);
            thread.start();
        }
        byte[][] blocks = new byte[16][1 << 20];
        System.out.println("ready");
        System.in.read();
        System.out.println(blocks.length);
    }

    static void rest() {
        try {
            Thread.sleep(Long.MAX_VALUE);
        } catch (InterruptedException end) {
            return;
        }
    }
}
