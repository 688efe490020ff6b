"""What the pytest plugin needs beside its hooks: a second process that watches the test process."""
