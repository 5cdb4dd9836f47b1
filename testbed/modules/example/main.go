// A container for tests and examples: what it does is in its arguments.
//
//	serve [S]         answers HTTP on port 8080 with the name of its pod, from S seconds after its start until SIGTERM;
//	                  /burn keeps a core busy, /rest ends that, /file/PATH answers with a file
//	get URL           ends with 0 if that is answered with 200
//	get URL S         the same, and tries again for S seconds
//	write FILE TEXT   writes a file, and ends with 0 if that is possible
//	read FILE TEXT    ends with 0 if that is in the file
//	log FOLDER        adds a line to the file of its pod's name in a folder, all the time, until SIGTERM
//	exit CODE [S]     ends with CODE, after S seconds
//	load URL          asks for that all the time, from the first answer until SIGTERM; answers on port 8080 with how often,
//	                  and how often in vain
//	wait              waits for SIGTERM and ends with 0
//	eat               takes memory until it is killed
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
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
		server := http.Server{Addr: ":8080"}
		go func() {
			time.Sleep(seconds(arguments[1]))
			if err := serve(&server); err != http.ErrServerClosed {
				end(err)
			}
		}()
		<-terminated
		// What was asked before is answered.
		err = server.Shutdown(context.Background())
	case "load":
		err = load(arguments[1], terminated)
	case "get":
		err = get(arguments[1], seconds(arguments[2]))
	case "write":
		err = os.WriteFile(arguments[1], []byte(arguments[2]), 0o666)
	case "read":
		err = read(arguments[1], arguments[2])
	case "log":
		err = log(arguments[1], terminated)
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

func serve(server *http.Server) error {
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
	return server.ListenAndServe()
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

// load asks over a new connection each time, as clients that know nothing of each other do.
func load(address string, terminated <-chan os.Signal) error {
	target, err := url.Parse(address)
	if err != nil {
		return err
	}
	counts := struct {
		sync.Mutex
		Sent   int            `json:"sent"`
		Failed int            `json:"failed"`
		Errors map[string]int `json:"errors"`
	}{Errors: map[string]int{}}
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		counts.Lock()
		defer counts.Unlock()
		json.NewEncoder(w).Encode(&counts)
	})
	go func() { end(http.ListenAndServe(":8080", nil)) }()
	// A Service that is new is not known to every node yet.
	if err := get(address, time.Minute); err != nil {
		return err
	}
	for range 8 {
		go func() {
			for {
				err := ask(target)
				counts.Lock()
				counts.Sent++
				if err != nil {
					counts.Failed++
					if len(counts.Errors) < 10 {
						counts.Errors[time.Now().UTC().Format(time.RFC3339Nano)+" "+err.Error()]++
					}
				}
				counts.Unlock()
			}
		}()
	}
	<-terminated
	return nil
}

// ask waits until the other side has closed the connection. If this side closed it first, its port would be kept for a
// minute, and there are not that many; if it aborted it, the kernel might take its next connection from the same port for
// a part of it, and send it where the first one went.
func ask(target *url.URL) error {
	connection, err := net.DialTimeout("tcp", target.Host, 5*time.Second)
	if err != nil {
		return err
	}
	defer connection.Close()
	connection.SetDeadline(time.Now().Add(5 * time.Second))
	request := http.Request{Method: http.MethodGet, URL: target, Close: true}
	if err := request.Write(connection); err != nil {
		return err
	}
	reader := bufio.NewReader(connection)
	answer, err := http.ReadResponse(reader, &request)
	if err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return errors.New(answer.Status)
	}
	_, err = io.Copy(io.Discard, reader)
	return err
}

func read(file, text string) error {
	content, err := os.ReadFile(file)
	if err == nil && string(content) != text {
		err = fmt.Errorf("%s has %q", file, content)
	}
	return err
}

// log opens the file for each line, so that each is seen by others and none is in an old file.
func log(folder string, terminated <-chan os.Signal) error {
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	file := filepath.Join(folder, name)
	for number := 0; ; number++ {
		line := fmt.Sprintln(name, number)
		if err := add(file, line); err != nil {
			return err
		}
		select {
		case <-terminated:
			return nil
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func add(file, text string) error {
	opened, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if _, err := opened.WriteString(text); err != nil {
		return err
	}
	return opened.Close()
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
