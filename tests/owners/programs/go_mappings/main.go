// Memory that a program maps for itself: chunks in a list that a variable has, as the runtime keeps its own, and
// single ones, which the kernel merges with the runtime's. Prints `T START END own` for each.
package main

import (
	"fmt"
	"syscall"
	"time"
	"unsafe"
)

const chunk = 256 << 10

var first uintptr
var kept [][]byte

func mapped(length int) []byte {
	mine, err := syscall.Mmap(-1, 0, length, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		panic(err)
	}
	for at := 0; at < length; at += 4096 {
		mine[at+8] = 1
	}
	start := uintptr(unsafe.Pointer(&mine[0]))
	fmt.Printf("T %x %x own\n", start, start+uintptr(length))
	return mine
}

func main() {
	for n := 0; n < 40; n++ {
		list := mapped(chunk)
		*(*uintptr)(unsafe.Pointer(&list[0])) = first
		first = uintptr(unsafe.Pointer(&list[0]))
		kept = append(kept, make([]byte, n<<16), mapped((n+1)<<14))
	}
	fmt.Println("ready")
	time.Sleep(time.Hour)
}
