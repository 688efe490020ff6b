// Slices on the heap, and memory that the program maps for itself beside the runtime's, as fastcache does.
package main

import (
	"fmt"
	"syscall"
	"time"
	"unsafe"
)

var kept [][]byte

func main() {
	for n := 0; n < 3000; n++ {
		kept = append(kept, make([]byte, 64+n*20))
	}
	for n := 0; n < 16; n++ {
		mine, err := syscall.Mmap(-1, 0, (n+1)*65536, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
		if err != nil {
			panic(err)
		}
		for at := 0; at < len(mine); at += 4096 {
			mine[at] = 1
		}
		start := uintptr(unsafe.Pointer(&mine[0]))
		fmt.Printf("T %x %x own\n", start, start+uintptr(len(mine)))
	}
	for _, slice := range kept {
		start := uintptr(unsafe.Pointer(&slice[0]))
		fmt.Printf("T %x %x go-heap\n", start, start+uintptr(len(slice)))
	}
	fmt.Println("ready")
	time.Sleep(time.Hour)
}
