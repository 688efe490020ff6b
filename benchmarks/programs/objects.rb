# Prints where some of its objects are, and memory of its own: T START END NAME.
require "fiddle"
kept = (0..300_000).map { |n| [n.to_s] }
GC.start
GC.disable
mmap = Fiddle::Function.new(Fiddle::Handle::DEFAULT["mmap"], [Fiddle::TYPE_SIZE_T] * 6, Fiddle::TYPE_SIZE_T)
kept.each_slice(100) { |some, *| at = Fiddle.dlwrap(some); puts format("T %x %x ruby-heap", at, at + 40) }
8.times do |n|
  length = (n + 1) << 18
  own = mmap.call(0, length, 3, 0x22, -1, 0)
  (0...length >> 14).each { |page| Fiddle::Pointer.new(own)[page << 14, 8] = [own + (page << 14) + 64].pack("Q") }
  puts format("T %x %x own", own, own + length)
end
puts "ready"
$stdout.flush
sleep
