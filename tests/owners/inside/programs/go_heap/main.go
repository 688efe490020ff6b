package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"
)

var keep [][]byte
var stats runtime.MemStats
var line [512]byte

func main() {
	debug.SetGCPercent(-1)
	megabytes, _ := strconv.Atoi(os.Args[1])
	for i := 0; i < 100; i++ {
		go func() { time.Sleep(time.Hour) }()
	}
	for i := 0; i < megabytes*16; i++ {
		block := make([]byte, 65536)
		for j := 0; j < len(block); j += 4096 {
			block[j] = 1
		}
		keep = append(keep, block)
	}
	for _, what := range os.Args[2:] {
		switch what {
		case "drop":
			keep = keep[:len(keep)/4]
			for i := len(keep); i < cap(keep); i++ {
				keep[:cap(keep)][i] = nil
			}
		case "collect":
			runtime.GC()
		case "churn":
			debug.SetGCPercent(100)
			go func() {
				for i := 0; ; i++ {
					keep[i%len(keep)] = make([]byte, 65536)
				}
			}()
		case "release":
			debug.FreeOSMemory()
		}
	}
	syscall.Write(1, []byte("ready\n"))
	var question [1]byte
	for {
		if n, _ := syscall.Read(0, question[:]); n == 0 {
			return
		}
		report()
	}
}

// report writes the figures without allocating anything.
func report() {
	runtime.ReadMemStats(&stats)
	text := line[:0]
	for _, figure := range [...]uint64{stats.HeapInuse, stats.HeapIdle, stats.HeapReleased, stats.StackInuse} {
		text = strconv.AppendUint(text, figure, 10)
		text = append(text, ' ')
	}
	text[len(text)-1] = '\n'
	syscall.Write(1, text)
}
