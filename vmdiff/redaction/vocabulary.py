"""What may be told: names that are public because every machine has them.

Everything in a redacted document is either a number that the tool is about, a pseudonym, or stands
here. A word missing here costs a reader a name; a word too many here costs a reporter a secret:
so add public names only, whole, and never patterns that a private name could match.
"""

import re


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Directories whose files come with the operating system: names below them stay.
SYSTEM_DIRECTORIES = re.compile(
    r"/(?:usr/(?:bin|sbin|lib|lib32|lib64|libx32|libexec|libdata|share)"
    r"|bin|sbin|lib|lib32|lib64|libx32|libexec|libdata"
    r"|system|system_ext|vendor|product|odm|apex"  # Android
    r"|System/Library|System/iOSSupport|System/Cryptexes|Library/Apple"  # macOS
    r")/|(?i:[A-Z]:[\\/]+Windows[\\/]+(?:System32|SysWOW64|WinSxS|assembly|Fonts|Globalization)[\\/]+)",
)
# A name below them stays if it is made of these and holds no long number in hexadecimal.
PLAIN_NAME = re.compile(r"[A-Za-z0-9._+:,=()~ \-]{1,120}")
LONG_NUMBER = re.compile(r"(?=[0-9A-Fa-f-]*[0-9])[0-9A-Fa-f]{8}-?[0-9A-Fa-f-]{6,}|[0-9]{9,}")

# Below these the next name is somebody's own.
HOMES = _set("home users")

# Files here, and deleted ones, are often called something else in every run.
TEMPORARY = ("/tmp/", "/var/tmp/", "/dev/shm/", "/run/", "/memfd:")  # noqa: S108  # names, not files of ours

# Directory names that tell nothing about anybody, wherever they are.
DIRECTORIES = _set("""
    .cache .cargo .local .npm .nvm .rustup .venv aarch64 aarch64-linux-gnu amd64 app AppData
    Applications arm arm-linux-gnueabi arm-linux-gnueabihf arm64 bin build cache client Contents current
    dalvik-cache data Debug debug deps dev dist-packages etc flatpak Frameworks gnu home i386
    i386-linux-gnu include jre jvm lib lib-dynload lib32 lib64 libexec Library libx32 local log MacOS
    media mnt modules nix node_modules oat opt PlugIns powerpc64le-linux-gnu private proc ProgramData
    Release release riscv64 riscv64-linux-gnu Roaming run s390x-linux-gnu sbin server share shm
    site-packages snap spool src srv store sys System System32 SysWOW64 target Temp tmp Users usr var
    vendor venv Versions Volumes Windows x64 x86 x86_64 x86_64-linux-gnu
""") | {"Program Files", "Program Files (x86)", "Application Support"}
DIRECTORY_PATTERN = re.compile(
    r"(?:python|pypy|perl|ruby)[23]?(?:\.[0-9]{1,2}){0,2}|[0-9]{1,3}(?:\.[0-9]{1,3}){0,3}"
)

# Files that every program has: loaders, C libraries, language runtimes. They are what tells
# whether two snapshots are of one address space, so their names stay in every directory.
FILE_PATTERN = re.compile(
    r"(?:ld-linux[a-z0-9_-]{0,16}|ld-musl-[a-z0-9_-]{1,16}|ld(?:64)?|ld-[0-9.]{1,8}|linker(?:64)?"
    r"|(?:libc|libm|libdl|librt|libpthread|libutil|libresolv|libnsl|libcrypt|libanl|libthread_db|libmvec"
    r"|libBrokenLocale|libgcc_s|libstdc\+\+|libc\+\+|libc\+\+abi|libatomic|libgomp|libgfortran|libquadmath"
    r"|libasan|libtsan|libubsan|liblsan|libmsan|libnss_files|libnss_dns|libnss_compat"
    r"|libz|liblzma|libbz2|libzstd|liblz4|libexpat|libffi|libssl|libcrypto|libuuid|libselinux|libpcre|libpcre2-8"
    r"|libreadline|libncurses|libncursesw|libtinfo|libsqlite3|libxml2|libicudata|libicuuc|libicui18n|libglib-2\.0"
    r"|libjvm|libjava|libjli|libverify|libzip|libnio|libnet|libjimage|libjsvml|libextnet|libmanagement|libnode"
    r"|libjemalloc|libtcmalloc|libtcmalloc_minimal|libmimalloc|libsnmallocshim|libsystemd|libcap|libaudit"
    r"|libpython[23]?(?:\.[0-9]{1,2})?[a-z]?|libperl|libruby|liblua|libmono|libcoreclr|libclrjit|libSystem|libobjc)"
    r"(?:[-.][0-9]{1,3}(?:\.[0-9]{1,3}){0,3})?)"
    r"(?:\.so(?:\.[0-9]{1,4}){0,4}|\.[0-9A-Z]{1,4}\.dylib|\.dylib|\.dll)?"
    r"|(?:python|pypy|perl|ruby|java|node|nodejs|php|mono|dotnet|bash|dash|sh|busybox|sleep|cat)[23]?(?:\.[0-9]{1,2})?"
    r"|(?:jvm|java|jli|verify|zip|nio|net|jimage|management|ntdll|kernel32|kernelbase|ucrtbase|vcruntime140)\.dll"
    r"|classes(?:_nocoops)?\.jsa|modules|locale-archive|gconv-modules\.cache|java\.exe|python\.exe",
    re.IGNORECASE,
)

# What a file's name may end with.
EXTENSIONS = _set("""
    7z a apk arrow art avro bak bin bmp bundle bz2 cache car cfg class conf core crt css csv dat data db
    db3 deb dex dll dump dylib egg elf exe feather framework gguf gif gmo gz h5 hdf5 heap hprof htm html
    ico icu idx img index ini iso jar jit jl jmod jpeg jpg js jsa json jsonl kext key ko ldb lock log
    lua lz4 map md mdb mem mjs mmap mo model mp3 mp4 ndjson new nib node npy npz o oat odex ogg old onnx
    orc orig otf pak parquet pdf pem pfb php pickle pid pkl pl plist pm png po prof properties pt pth py
    pyc pyd pyo qcow2 r raw rb rda rdata rds res rpm safetensors sh shm so sock socket sqlite sqlite3
    sst strings svg swp sys tar temp tflite tgz tmp toml trace ts tsv ttc ttf txt vdex vmdk wal war wasm
    wav webm webp whl woff woff2 xml xz yaml yml zip zst
""")
EXTENSION_PATTERN = re.compile(
    r"(?:(?:\.cpython-[0-9]{2,3}t?(?:-[a-z0-9_]{2,8}-(?:linux-gnu|linux-musl|linux-gnueabihf|darwin))?|\.abi3)?"
    r"\.so(?:\.[0-9]{1,4}){0,4}|\.cpython-[0-9]{2,3}(?:\.opt-[12])?\.pyc)\Z"
)

# Names in brackets that the kernel gives.
KERNEL_NAMES = re.compile(
    r"\[(?:heap|stack|stack:[0-9]{1,10}|vdso|vvar|vvar_vclock|vsyscall|vectors|sigpage|uprobes|anonymous|anon|shmem"
    r"|anon_shmem|uffd-wp)\]"
    r"|/anon_hugepage|/secretmem|/\[aio\]|/drm mm object|/i915|/SYSV00000000"
    r"|anon_inode:(?:\[(?:io_uring|perf_event|userfaultfd|secretmem)\]|bpf-map|bpf_ringbuf|kvm-vcpu(?::[0-9]{1,4})?"
    r"|kvm-vm|i915\.gem|dmabuf)"
    r"|/dev/(?:zero|null|mem|kvm|fuse|hpet|ashmem|binder|hwbinder|vndbinder|kfd|fb[0-9]{1,2}|snd/[a-zA-Z0-9]{1,12}"
    r"|dri/(?:card|renderD)[0-9]{1,3}|nvidia[0-9]{1,2}|nvidiactl|nvidia-uvm|nvidia-uvm-tools|nvidia-modeset"
    r"|mali[0-9]{1,2}|kgsl-3d0|infiniband/uverbs[0-9]{1,3})"
)

# Names of tags that tell nothing about anybody.
TAGS = _set("arch branch build commit environment host instance region role service stage version zone")

# Words that may stand in names of memory (prctl), owners' labels, counters and doubts.
WORDS = _set("""
    hotspot category included tracks binary carrier carriers driver eheap erlang ets exec fiber fix granule
    literal ll lua luajit php ruby sl slots std sys temp test transient
    1f 4 a abort about above access accessed accessible account accounts across activity add added
    additional address addresses adds after again ago agree agrees aio ali all alloc allocate allocated
    allocation allocations allocator allocators allspans almost alone already also although always an
    and anon anonhugepages anonymous another answer answers any anyone anything apart arc4random
    architecture archive are area areas arena arenas arguments arithmetic around array arrays art as
    asan ashmem ask asked asynchronous at atexit attempts attribute attributes auth away b back backing
    backtraces bad bare base batched be became because become been before begins being below besides
    between bias big bionic bitmap bits block blocks boot both boundary bounds bpf brk broken bss bucket
    buckets buffer buffers but by byte bytes cache cached cage call came can cannot capability card
    card0 card1 cardtbl cds cfi cfstring cg cgroup changed changes characters chunk chunks class classes
    classlinker classshared clean clear close code cold collected column columns combined come committed
    compiled compiler complete compound compressed concurrent consistent const content contents context
    continuations contpte copying core coreanimation coregraphics cores coreservices coreui could count
    counted counter counters counting counts cow cpython crash cstring ctf cut dalvik data default
    deleted derived describe described describes detail device devices dex df did differ difference
    differences differs directories dirtied dirty dispatch do document documents does done double
    doublemapper dozen dri drm droppable duplicate during dv dyld e each earlier early either elf
    eligible else empty end ended ends enough entries entry equal equals error even events every
    everything everywhere exact exactly except exclusive executable execute exist exists expected extent
    extents false far fault few field fields file filepmdmapped files first fit fits flag flags folio
    folios follow following follows footer footers footprint for format formats found frames framework
    free freed from frozen full function g gap gaps garbage gave gb gc gccardset gd gdb gem generation
    get getrandom gib gigacage given gives glibc go goes going gone goroutine goroutines got gpu gralloc
    grew guard guarded guards gwp had half handlers happen happened has hash have header headers heading
    headings heap heap_info heapbits heaps held help helps hence here hidden higher hold holds host how
    however huge hugepage hugepages hugetlb hugetlbfs hundred i915 identity if ignored image immortal in
    inaccessible inclusive incomplete index indirect info inode inside instant instead instrumentation
    intern internal interpreter interrupted into io io_uring ioaccelerator iokit is it its java javaheap
    javascriptcore jdk jemalloc jemalloc_pg jemalloc_pg_overcommit jit jni joined just jvm jvmci jvmti k kb
    keep kept kernel kernel's kernels key keyed kgsl kib known knows ksm label labels large larger
    largest last late later layout lazy lazyfree leave leaves left length less let level lib libc
    libraries library lies like likely limit limits line linear linearalloc lines linkedit linker linux
    list listed listing listing's listings lists live lldb load loaded loader local localized locked log
    log's logging logs long look looked looks lost low lower lru m machine made main major make makes
    making mali malloc manager many map mapped mapping mappings maps mark marker marks match matched
    matches max maximum may maybe mb mean meaning means meanwhile measured memfd memory memory's merely
    merged meta metadata metaspace mib middle million milliseconds mimalloc minimum minor minus missing
    mixed mlocked mm mmap mmu mod mode module modules monitor more most mostly moved moving mprotect
    mprotect_size ms much must mutex n name named names nano native near nearly need needed needs
    neighbour neighbours never newer next nmt no nobody node non none nonvolatile normal not note notes
    nothing now nowhere nul numa numa_maps number numbers nvidia oat objc object objectmonitor objects
    ocaml of off offset offsets often old older on once one ones only oops open opened or order original
    oslog other others otherwise ought ours out output over overlap overlaps own owned page page_size
    pagemap pages pair part partition partition_alloc partly parts passed path paths pending per percent
    perf perf_event perhaps permission permissions perms persistent pfn ph physical pid place places
    pmap pmd pmdmapped point pointer poll pool pools posix posixshm possible possibly preceding primary
    print prints private proc process processes procps profile profiler program programs properties
    property protected protection protectionkey proved prv pss pthread purgeable purged put pymalloc
    python query quite raised random range ranges rarely rather ratio reach reached read read-only
    readable reader reading reads real really reconciled record records redacted redaction ref reference
    referenced references refused region regions register rejected release releases relro rem remarks
    remembered removed renderd renderd128 repeated repeats report reported reports res reservation reserve
    reserved reserving residency resident rest restart restored right ro rollup root roots rosetta
    roughly rounded rounding rounds row rows rss runtime rw s safepoint said same sample sampled sandbox
    sanitizer save saved saver say says scan scavenge scudo sealed second secondary seconds secret
    section security see seen sees segment segments sentence separate serviceability set several sg
    shadow shadows shall shape shared sharing shlib shm shmem shmempmdmapped short should show showmap
    shown shows side sign signal signs sigpage since single size size's sizeless sizes skip skipped slab
    small smaller smaps smaps_rollup snapshot snmalloc so some something sometimes somewhere soon sorted
    source space spaces spans split stack stacks stand stands start started starts startup state stated
    states static statistics stats status step still stood stopped storage stores string stringdedup
    structure submap such suffix sum summaries summary sums support supported sure suspended sw swap
    swapped sweep symbol symbols synchronizer system sysv t table tables tag tagged tags tail take taken
    target tcmalloc tcmalloc_region tell tells tenured text than that the their them then there
    therefore these they thing third this those though thousand thp thpeligible thread threads
    threadstack three threshold thrice through throughout thus time times tiny tls tmpfs to together
    told tombstone too took tool total totals trace tracer tracing tracking transparent true truncated
    try turned twice two type types under understood unevictable unicode union unit unix unknown unless
    unlike unmapped unnamed unsorted until unused up upper uprobes us use used user uses using usually v
    v8 value values vanilla vary vdso vectors version versions very via virtual vm vma vmas vmflags
    vmmap vn volatile vsize vsyscall vulkan vvar vvar_vclock wait waited waiting waits walk want was
    wasm way webkit were what whatever when where whether which whichever while whoever whole whose why
    wide will wish with within without word words work worker would writable write writeback writer
    writes written wrong y yet you young zer zero zeros zone zswap zswapped zygote
""")

UNITS = _set("kB KB KiB MiB GiB TiB B K bytes percent")

OWNERS = frozenset(
    {
        "malloc heap",
        "malloc arena",
        "malloc large block",
        "thread stack",
        "main stack",
        "guard page",
        "bss",
        "library gap",
        "relro",
        "python arena",
        "postgres contexts",
        "java direct buffers",
        "jvm heap",
        "jvm metaspace",
        "jvm class space",
        "jvm code cache",
        "jvm gc",
        "jvm cds",
        "jvm internal",
        "sanitizer heap",
        "sanitizer shadow",
        "ruby heap",
        "ruby fiber stack",
        "php heap",
        "lua heap",
        "erlang heap",
        "go heap",
        "go runtime",
        "v8 heap",
        "v8 code",
        "jemalloc",
        "tcmalloc",
        "mimalloc",
        "jit code",
        "io_uring",
        "named",
        "mixed",
    }
)

# Types and memory contexts that every program of a runtime has: their names stay.
TYPES = _set("""
    bool bytearray bytes builtin_function_or_method cell classmethod code complex coroutine dict
    ellipsis float frame frozenset function generator getset_descriptor int list mappingproxy
    member_descriptor memoryview method method_descriptor module object property range set slice
    staticmethod str super traceback tuple type weakref wrapper_descriptor numpy.ndarray
    array.array collections.deque collections.defaultdict collections.OrderedDict
    TopMemoryContext CacheMemoryContext MessageContext PortalContext TopTransactionContext
    CurTransactionContext ExprContext ExecutorState RowDescriptionContext ErrorContext
    TopPortalContext PostmasterContext weakref.ReferenceType CachedPlan CachedPlanSource
""") | {
    "(no object)", "(no class)", "index info", "relation rules", "WAL record construction", "Relcache by OID",
    "PgStat Pending", "smgr relation table", "LOCALLOCK hash", "Timezones", "TableSpace cache",
}  # fmt: skip

# Accounts that systems come with: an account of this name tells nothing.
SYSTEM_ACCOUNTS = _set("""
    admin apache backup bin centos daemon debian docker ec2-user fedora games gnats haproxy irc java
    list localdomain localhost lp mail man memcache messagebus mongodb mysql news nginx nobody node
    nogroup postgres proxy python redis root runner sshd sync sys syslog systemd ubuntu user users uucp
    vagrant www-data
""")

SOURCES = _set("""
    asan backtrace bundle core elf-core gdb gdb-mappings gef glibc-abort hs-err hs_err import jcmd
    jvm-system-map linux-proc maps pmap pmap-d pmap-X pmap-x pmap-XX procstat procstat-v procstat-vm
    pwndbg sanitizer showmap smaps smaps-rollup smaps_rollup system-map test tombstone vmmap
    vmmap-summary windows-vmmap procmap native-memory bundle bundle
""")
SYSTEMS = frozenset(
    {"Linux", "Android", "Darwin", "macOS", "FreeBSD", "OpenBSD", "NetBSD", "SunOS", "Windows", "iOS"}
)
MACHINES = _set("""
    aarch64 aarch64_be alpha amd64 arm arm64 arm64e armv5tel armv6l armv7a armv7l armv8l hppa i386 i486
    i586 i686 ia64 loongarch64 m68k mips mips64 mips64el mipsel ppc ppc64 ppc64le riscv32 riscv64 s390
    s390x sparc sparc64 x86 x86_64
""")
# Parts of a kernel's release beyond its numbers.
KERNEL_RELEASE = re.compile(
    r"(?:[0-9]{1,6}|rc[0-9]{1,2}|generic|lowlatency|default|amd64|arm64|x86_64|x86|64|i686|686|pae|aarch64|armv7l|cloud|rt"
    r"|aws|azure|gcp|gke|oracle|kvm|virt|lts|hardened|zen|arch|arch[0-9]|el[0-9]{1,2}|el[0-9]{1,2}_[0-9]{1,2}|fc[0-9]{2}"
    r"|amzn[0-9]{1,4}|deb[0-9]{1,2}|deb[0-9]{1,2}u[0-9]{1,2}|bpo|bpo[0-9]{1,2}|microsoft|standard|wsl2|linuxkit|raspi|v8|RELEASE"
    r"|RELEASE|STABLE|android[0-9]{1,2}|gki|smp|p[0-9]{1,2})",
    re.IGNORECASE,
)
HUGE_PAGE_MODES = _set("always madvise never inherit")
LIMITS = _set("""
    address_space as
    cgroup_memory core core_file core_file_size cpu cpu_time data data_size file file_locks file_size
    fsize locked_memory locks max_address_space max_core_file_size max_cpu_time max_data_size
    max_file_locks max_file_size max_locked_memory max_msgqueue_size max_nice_priority max_open_files
    max_pending_signals max_processes max_realtime_priority max_realtime_timeout max_resident_set
    max_stack_size memlock msgqueue msgqueue_size nice nice_priority nofile nproc open_files
    pending_signals processes realtime_priority realtime_timeout resident_set rss rtprio rttime
    sigpending stack stack_size
""")
CGROUPS = _set("""
    app.slice background.slice besteffort burstable docker docker.slice guaranteed init.scope kubepods
    kubepods-besteffort.slice kubepods-burstable.slice kubepods.slice libpod_parent lxc lxc.payload
    machine.slice session.slice system.slice user.slice
""")
