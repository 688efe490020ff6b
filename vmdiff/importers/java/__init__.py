"""What the JVM prints: hs_err logs and jcmd System.map."""
