package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"time"
)

var keep [][]byte

func grow(megabytes int) {
	for i := 0; i < megabytes; i++ {
		b := make([]byte, 1<<20)
		for j := 0; j < len(b); j += 4096 {
			b[j] = 1
		}
		keep = append(keep, b)
	}
}

func main() {
	n, _ := strconv.Atoi(os.Args[1])
	g, _ := strconv.Atoi(os.Args[2])
	for i := 0; i < g; i++ {
		go func() { time.Sleep(time.Hour) }()
	}
	grow(n)
	fmt.Printf("heap %p\n", &keep[0][0])
	fmt.Println("ready")
	in := bufio.NewReader(os.Stdin)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		n, _ = strconv.Atoi(line[:len(line)-1])
		grow(n)
		fmt.Printf("heap %p\n", &keep[len(keep)-1][0])
		fmt.Println("ready")
	}
}
