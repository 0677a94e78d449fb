package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) == 3 && os.Args[1] == "parts" {
		if err := serveParts(ctx, os.Stdout, os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, "crash parts:", err)
			os.Exit(1) //nolint:gocritic // nothing is deferred that matters
		}
		return
	}
	o := options{out: os.Stdout}
	flag.StringVar(&o.binary, "binary", "bin/hongbao-crash", "hongbao, built with the tag crashpoints")
	flag.IntVar(&o.perLabel, "per-label", 25, "counted kills of each label")
	flag.IntVar(&o.parallel, "parallel", 4, "sites at a time")
	flag.IntVar(&o.siteKills, "site-kills", 36, "kills at a site before it is drained and verified")
	flag.Uint64Var(&o.seed, "seed", 0, "of order and counts; 0 draws one")
	flag.StringVar(&o.only, "only", "", "labels that begin with this")
	flag.BoolVar(&o.verbose, "v", false, "a line per kill")
	flag.BoolVar(&o.takeovers, "takeovers", false, "every site has two instances, and each one killed stays away until the other has its partitions")
	flag.Parse()
	if err := run(ctx, &o); err != nil {
		fmt.Fprintln(os.Stderr, "crash:", err)
		os.Exit(1)
	}
}

type options struct {
	binary                        string
	perLabel, parallel, siteKills int
	seed                          uint64
	only, work                    string
	verbose, takeovers            bool
	out                           io.Writer
}
