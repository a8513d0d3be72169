// KafkaTools.java - runs Kafka's own command line tools for many callers in one JVM, as a start costs a second.
//
//   java -cp KAFKA-JARS KafkaTools.java      prints its port; ends when its standard input ends
//
// A caller connects and sends, each ended by a NUL byte: the number of what follows, paths of its standard input,
// output and error, the class, its arguments. The answer is the exit status in a line. Any byte after that, or the
// connection's end, is SIGTERM for the tool. System.in, out and err belong to the thread (and those it starts);
// Exit of Kafka is caught and ends one run only. Each run loads the tools anew, since they keep counts in statics.
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.security.Permission;
import java.security.Policy;
import java.security.ProtectionDomain;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.kafka.common.utils.Exit;
import org.slf4j.LoggerFactory;

@SuppressWarnings("removal")
public final class KafkaTools {
    /** Unwinds the stack of a tool that called Exit. */
    static final class Left extends Error {
        Left() {
            super(null, null, false, false);
        }
    }

    static final class Run {
        final InputStream in;
        final OutputStream out, err;
        private final List<Runnable> hooks = new ArrayList<>();
        private Integer status; // set once
        volatile Thread left; // called Exit: what it prints while it unwinds is nobody's

        Run(String in, String out, String err) throws IOException {
            this.in = new FileInputStream(in);
            this.out = new FileOutputStream(out, true);
            this.err = new FileOutputStream(err, true);
        }

        synchronized void exit(int code) {
            if (status == null)
                status = code;
        }

        synchronized int status() {
            return status;
        }

        synchronized void addHook(Runnable hook) {
            hooks.add(hook);
        }

        /** What a JVM does at its end, once. */
        void runHooks() {
            List<Runnable> now;
            synchronized (this) {
                now = new ArrayList<>(hooks);
                hooks.clear();
            }
            for (Runnable hook : now) {
                Thread t = new Thread(hook);
                t.setDaemon(true);
                t.start();
                try {
                    t.join(20000);
                } catch (InterruptedException e) {
                    return;
                }
            }
        }
    }

    static final InheritableThreadLocal<Run> current = new InheritableThreadLocal<>();

    static final class Split extends OutputStream {
        private final boolean err;

        Split(boolean err) {
            this.err = err;
        }

        @Override
        public void write(int b) throws IOException {
            write(new byte[] {(byte) b}, 0, 1);
        }

        @Override
        public void write(byte[] b, int at, int n) throws IOException {
            Run run = current.get();
            if (run != null && run.left != Thread.currentThread())
                (err ? run.err : run.out).write(b, at, n);
        }
    }

    /** The tools' own classes first, so that each run has statics of its own. */
    static final class Fresh extends URLClassLoader {
        Fresh(URL jar) {
            super(new URL[] {jar}, KafkaTools.class.getClassLoader());
        }

        @Override
        protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
            synchronized (getClassLoadingLock(name)) {
                Class<?> c = findLoadedClass(name);
                if (c == null && name.startsWith("org.apache.kafka.tools.")) {
                    try {
                        c = findClass(name);
                    } catch (ClassNotFoundException e) {
                        c = null; // in another jar
                    }
                }
                return c != null ? c : super.loadClass(name, resolve);
            }
        }
    }

    static URL toolsJar;
    static final PrintStream log = System.err; // the JVM's own

    static int run(Run run, String name, String[] args) throws IOException {
        current.set(run);
        try (Fresh loader = new Fresh(toolsJar)) {
            Thread.currentThread().setContextClassLoader(loader);
            try {
                loader.loadClass(name).getMethod("main", String[].class).invoke(null, (Object) args);
                run.exit(0);
            } catch (InvocationTargetException e) {
                if (!(e.getCause() instanceof Left) && run.left == null) {
                    System.err.print("Exception in thread \"main\" ");
                    e.getCause().printStackTrace();
                    run.exit(1);
                }
            } catch (ReflectiveOperationException e) {
                e.printStackTrace();
                run.exit(127);
            }
            run.runHooks();
        }
        run.in.close();
        run.out.close();
        run.err.close();
        return run.status();
    }

    static String word(InputStream in) throws IOException {
        ByteArrayOutputStream b = new ByteArrayOutputStream();
        for (int c; (c = in.read()) > 0;)
            b.write(c);
        return b.toString(StandardCharsets.UTF_8);
    }

    static void serve(Socket socket) {
        try (socket) {
            InputStream in = socket.getInputStream();
            String[] words = new String[Integer.parseInt(word(in))];
            for (int i = 0; i < words.length; i++)
                words[i] = word(in);
            Run run = new Run(words[0], words[1], words[2]);
            Thread terminator = new Thread(() -> {
                try {
                    in.read();
                    current.set(run);
                    run.runHooks();
                } catch (IOException e) {
                    // the run is over
                }
            });
            terminator.setDaemon(true);
            terminator.start();
            int status = run(run, words[3], Arrays.copyOfRange(words, 4, words.length));
            socket.getOutputStream().write((status + "\n").getBytes(StandardCharsets.UTF_8));
        } catch (IOException | RuntimeException | LinkageError e) {
            log.println(e);
        }
    }

    static void leave(int status, String message) {
        Run run = current.get();
        System.out.flush();
        if (run != null) {
            run.exit(status);
            run.left = Thread.currentThread();
        }
        throw new Left();
    }

    public static void main(String[] args) throws Exception {
        for (String path : System.getProperty("java.class.path").split(File.pathSeparator))
            if (new File(path).getName().matches("kafka-tools-[0-9].*\\.jar"))
                toolsJar = new File(path).toURI().toURL();
        PrintStream out = System.out;
        System.setOut(new PrintStream(new Split(false), true));
        System.setErr(new PrintStream(new Split(true), true));
        InputStream in = System.in;
        System.setIn(new InputStream() {
            @Override
            public int read() throws IOException {
                return current.get().in.read();
            }

            @Override
            public int read(byte[] b, int at, int n) throws IOException {
                return current.get().in.read(b, at, n);
            }

            @Override
            public int available() throws IOException {
                return current.get().in.available();
            }
        });
        Policy.setPolicy(new Policy() {
            @Override
            public boolean implies(ProtectionDomain domain, Permission permission) {
                return true;
            }
        });
        System.setSecurityManager(new SecurityManager() { // for tools that call System.exit
            @Override
            public void checkExit(int status) {
                if (current.get() != null)
                    leave(status, null);
            }

            @Override
            public void checkPermission(Permission p) {
            }
        });
        Exit.setExitProcedure(KafkaTools::leave);
        Exit.setHaltProcedure(KafkaTools::leave);
        Exit.setShutdownHookAdder((name, hook) -> current.get().addHook(hook));
        LoggerFactory.getLogger(KafkaTools.class); // before several threads ask at once
        ServerSocket listener = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        Thread acceptor = new Thread(() -> {
            try {
                for (;;) {
                    Socket socket = listener.accept();
                    Thread t = new Thread(() -> serve(socket));
                    t.setDaemon(true);
                    t.start();
                }
            } catch (IOException e) {
                // the end
            }
        });
        acceptor.setDaemon(true);
        acceptor.start();
        out.println(listener.getLocalPort());
        out.flush();
        while (in.read() >= 0)
            continue;
        Runtime.getRuntime().halt(0);
    }
}
