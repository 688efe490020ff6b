// Vectors, zeroed variables and a backtrace, for which the runtime maps the executable to read it.
use std::io::Write;
static mut BIG: [u8; 3_000_000] = [0; 3_000_000];
fn main() {
    unsafe {
        let at = std::ptr::addr_of_mut!(BIG) as *mut u8;
        for n in (0..3_000_000).step_by(4096) { *at.add(n) = 1; }
        println!("T {:x} {:x} bss", at as usize, at as usize + 3_000_000);
    }
    let mut vectors: Vec<Vec<u8>> = Vec::new();
    for n in 1..200 { vectors.push(vec![7u8; n * 5000]); }
    let _ = format!("{}", std::backtrace::Backtrace::force_capture());
    for v in &vectors {
        let at = v.as_ptr() as usize;
        println!("T {:x} {:x} malloc-heap|malloc-large-block|malloc-arena", at, at + v.len());
    }
    println!("ready");
    std::io::stdout().flush().unwrap();
    std::thread::sleep(std::time::Duration::from_secs(1000));
}
