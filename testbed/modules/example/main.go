// A container for tests: what it does is in its arguments.
//
//	serve           answers HTTP on port 8080 with the name of its pod, until SIGTERM
//	exit CODE [S]   ends with CODE, after S seconds
//	wait            waits for SIGTERM and ends with 0
//	eat             takes memory until it is killed
package main

import (
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

func main() {
	arguments := append(os.Args[1:], "", "", "")
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	switch arguments[0] {
	case "serve":
		name, _ := os.Hostname()
		go func() {
			err := http.ListenAndServe(":8080", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				fmt.Fprintln(w, name)
			}))
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}()
		<-terminated
	case "exit":
		code, err := strconv.Atoi(arguments[1])
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		seconds, _ := strconv.Atoi(arguments[2])
		time.Sleep(time.Duration(seconds) * time.Second)
		os.Exit(code)
	case "wait":
		<-terminated
	case "eat":
		var all [][]byte
		for {
			page := make([]byte, 1<<20)
			for i := range page {
				page[i] = 1
			}
			all = append(all, page)
			fmt.Println(len(all))
		}
	default:
		fmt.Fprintln(os.Stderr, "serve, exit, wait or eat")
		os.Exit(2)
	}
}
