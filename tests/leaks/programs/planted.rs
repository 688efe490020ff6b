// Loses blocks on purpose: prints how many, then waits.
use std::cell::RefCell;
use std::collections::HashMap;
use std::io::Write;
use std::rc::Rc;

trait Shape { fn area(&self) -> f64; }
struct Square(f64, [u8; 100]);
impl Shape for Square { fn area(&self) -> f64 { self.0 * self.0 + self.1[0] as f64 } }

struct Ring { other: RefCell<Option<Rc<Ring>>>, _data: [u64; 6] }

static KEPT: std::sync::Mutex<Vec<Box<dyn Shape + Send>>> = std::sync::Mutex::new(Vec::new());

#[inline(never)]
fn plant(names: &mut HashMap<usize, String>) -> usize {
    let mut lost = 0;
    for i in 0..10_000 { names.insert(i, "n".repeat(20 + i % 50)); }
    for i in 0..3_000 { KEPT.lock().unwrap().push(Box::new(Square(i as f64, [1; 100]))); }
    for i in 0..4_000 { std::mem::forget(Box::new(Square(i as f64, [2; 100]))); lost += 1; }
    for i in 0..2_000 { std::mem::forget(vec![vec![i as u64; 30], vec![i as u64; 40]]); lost += 3; }
    for _ in 0..1_000 {                       // circles of Rc
        let a = Rc::new(Ring { other: RefCell::new(None), _data: [3; 6] });
        let b = Rc::new(Ring { other: RefCell::new(Some(a.clone())), _data: [4; 6] });
        *a.other.borrow_mut() = Some(b.clone());
        lost += 2;
    }
    lost
}

#[inline(never)]
fn wipe() { let mut b = [0u8; 65536]; for i in 0..b.len() { unsafe { std::ptr::write_volatile(&mut b[i], 0) } } }

fn main() {
    std::thread::spawn(|| loop { std::thread::park() });
    let mut names = HashMap::new();
    let lost = plant(&mut names);
    wipe();
    println!("{}", lost);
    std::io::stdout().flush().unwrap();
    loop { std::thread::park(); if names.len() == 1 { println!("{}", KEPT.lock().unwrap()[0].area()); } }
}
