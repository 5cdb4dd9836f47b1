// A container for tests and examples: what it does is in its arguments.
//
//	serve [S]         answers HTTP on port 8080 with the name of its pod, from S seconds after its start until SIGTERM;
//	                  /burn keeps a core busy, /rest ends that, /file/PATH answers with a file
//	get URL           ends with 0 if that is answered with 200
//	get URL S         the same, and tries again for S seconds
//	write FILE TEXT   writes a file, and ends with 0 if that is possible
//	read FILE TEXT    ends with 0 if that is in the file
//	exit CODE [S]     ends with CODE, after S seconds
//	wait              waits for SIGTERM and ends with 0
//	eat               takes memory until it is killed
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

func main() {
	arguments := append(os.Args[1:], "", "", "")
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	var err error
	switch arguments[0] {
	case "serve":
		go func() {
			time.Sleep(seconds(arguments[1]))
			end(serve())
		}()
		<-terminated
	case "get":
		err = get(arguments[1], seconds(arguments[2]))
	case "write":
		err = os.WriteFile(arguments[1], []byte(arguments[2]), 0o666)
	case "read":
		err = read(arguments[1], arguments[2])
	case "exit":
		code, err := strconv.Atoi(arguments[1])
		if err != nil {
			end(err)
		}
		time.Sleep(seconds(arguments[2]))
		os.Exit(code)
	case "wait":
		<-terminated
	case "eat":
		eat()
	default:
		err = fmt.Errorf("no command %q", arguments[0])
	}
	if err != nil {
		end(err)
	}
}

func end(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// seconds is none for an empty text.
func seconds(text string) time.Duration {
	number, err := strconv.Atoi(text)
	if err != nil && text != "" {
		end(err)
	}
	return time.Duration(number) * time.Second
}

func serve() error {
	name, _ := os.Hostname()
	var burning atomic.Bool
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, name)
	})
	http.HandleFunc("/burn", func(w http.ResponseWriter, _ *http.Request) {
		if !burning.Swap(true) {
			go func() {
				for burning.Load() {
				}
			}()
		}
		fmt.Fprintln(w, name)
	})
	http.HandleFunc("/rest", func(w http.ResponseWriter, _ *http.Request) {
		burning.Store(false)
		fmt.Fprintln(w, name)
	})
	http.HandleFunc("/file/", func(w http.ResponseWriter, request *http.Request) {
		http.ServeFile(w, request, strings.TrimPrefix(request.URL.Path, "/file"))
	})
	return http.ListenAndServe(":8080", nil)
}

func get(url string, patience time.Duration) error {
	client := http.Client{Timeout: 5 * time.Second}
	for start := time.Now(); ; time.Sleep(200 * time.Millisecond) {
		answer, err := client.Get(url)
		if err == nil {
			io.Copy(os.Stdout, answer.Body)
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return nil
			}
			err = fmt.Errorf("%s: %s", url, answer.Status)
		}
		if time.Since(start) >= patience {
			return err
		}
	}
}

func read(file, text string) error {
	content, err := os.ReadFile(file)
	if err == nil && string(content) != text {
		err = fmt.Errorf("%s has %q", file, content)
	}
	return err
}

func eat() {
	var all [][]byte
	for {
		page := make([]byte, 1<<20)
		for i := range page {
			page[i] = 1
		}
		all = append(all, page)
		fmt.Println(len(all))
	}
}
