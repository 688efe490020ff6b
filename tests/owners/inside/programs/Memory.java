// Uses the given number of MiB on the heap and as many beside it, then waits until standard input ends.
// It says before how many bytes of the heap the virtual machine has in use by its own account.
// With a second argument a thread replaces blocks without a pause meanwhile.
// Memory.class beside it is compiled with `javac --release 11 Memory.java`: the Java runtimes of the tests have no compiler.
import java.nio.ByteBuffer;

public class Memory {
    public static void main(String[] arguments) throws Exception {
        int count = Integer.parseInt(arguments[0]);
        byte[][] blocks = new byte[count][];
        ByteBuffer[] buffers = new ByteBuffer[count];
        for (int number = 0; number < count; number++) {
            blocks[number] = new byte[1 << 20];
            buffers[number] = ByteBuffer.allocateDirect(1 << 20);
        }
        System.gc();
        for (int number = 0; number < count; number += 4) {
            blocks[number] = new byte[1 << 18];
        }
        System.out.print("used ");
        System.out.println(Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory());
        System.out.println("ready");
        if (arguments.length > 1) {
            Thread churn = new Thread(() -> {
                for (int number = 0; ; number++) {
                    blocks[number % count] = new byte[(1 << 18) + (number % 7 << 15)];
                }
            });
            churn.setDaemon(true);
            churn.start();
        }
        while (System.in.read() >= 0) {
        }
        System.out.println(blocks.length + buffers.length);
    }
}
