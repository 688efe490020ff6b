// Does to its memory what the lines that it reads name.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
)

var kept [][]byte

func main() {
	fmt.Println("ready")
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		switch lines.Text() {
		case "grow":
			for i := 0; i < 100; i++ {
				block := make([]byte, 1<<20)
				for at := 0; at < len(block); at += 4096 {
					block[at] = 1
				}
				kept = append(kept, block)
			}
		case "collect":
			kept = nil
			runtime.GC()
		case "release":
			kept = nil
			runtime.GC()
			debug.FreeOSMemory()
		}
		var counts runtime.MemStats
		runtime.ReadMemStats(&counts)
		fmt.Printf("account HeapInuse %d, HeapReleased %d\n", counts.HeapInuse, counts.HeapReleased)
		fmt.Println("done")
	}
}
