// A registry that keeps images in memory.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/inmemory"
)

func main() {
	file := flag.String("port-file", "", "the file to write the port to")
	flag.Parse()
	if err := serve(*file); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(file string) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	config := &configuration.Configuration{}
	config.Storage = configuration.Storage{"inmemory": configuration.Parameters{}}
	config.HTTP.Secret = "for tests"
	app := handlers.NewApp(context.Background(), config)
	port := listener.Addr().(*net.TCPAddr).Port
	// Whoever waits for the file never reads half of it.
	if err := os.WriteFile(file+".new", []byte(fmt.Sprint(port)), 0o600); err != nil {
		return err
	}
	if err := os.Rename(file+".new", file); err != nil {
		return err
	}
	return http.Serve(listener, app)
}
