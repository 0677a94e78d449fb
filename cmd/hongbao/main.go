package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal asks for an orderly end; the second one finds Go's default and kills.
	context.AfterFunc(ctx, stop)
	silenceRedis()
	os.Exit(run(ctx, process{
		args:     os.Args[1:],
		env:      os.Environ(),
		hostname: os.Hostname,
		in:       os.Stdin,
		out:      os.Stdout,
		errOut:   os.Stderr,
	}))
}
