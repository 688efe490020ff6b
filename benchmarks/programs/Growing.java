import java.util.ArrayList;
import java.util.Scanner;

/** Grows and drops byte arrays and starts threads, one step for each line of standard input. */
public final class Growing {
    public static void main(String[] words) throws Exception {
        var held = new ArrayList<byte[]>();
        var draw = new java.util.Random(Long.parseLong(words[0]));
        System.out.println("ready");
        for (var lines = new Scanner(System.in); lines.hasNextLine(); ) {
            switch (lines.nextLine()) {
                case "grow" -> {
                    for (int count = draw.nextInt(40); count >= 0; count--) held.add(new byte[1 + draw.nextInt(1 << 20)]);
                }
                case "drop" -> {
                    held.subList(held.size() / 2, held.size()).clear();
                    System.gc();
                }
                default -> {
                    var thread = new Thread(() -> { byte[] some = new byte[1 << 16]; some[7] = 1; });
                    thread.start();
                    thread.join();
                }
            }
            System.out.println("done");
        }
    }
}
