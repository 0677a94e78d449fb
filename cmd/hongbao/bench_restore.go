package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"hongbao/schemas"
)

// restoreAnswer is what `bench restore --json` prints.
type restoreAnswer struct {
	FactsPerS float64 `json:"facts_per_s"` // from the start of the process to the last partition at work
	Facts     int64   `json:"facts"`
	Seconds   float64 `json:"seconds"`
	CPU       float64 `json:"cpu_us_per_fact"`
}

// restore drains a stream, throws the data directory away and measures how long a new process needs.
func (b *bench) restore(ctx context.Context) (restoreAnswer, error) {
	if _, err := b.drain(ctx); err != nil {
		return restoreAnswer{}, err
	}
	facts, err := b.facts(ctx)
	if err != nil {
		return restoreAnswer{}, err
	}
	if err := os.RemoveAll(b.cfg.Data); err != nil {
		return restoreAnswer{}, err
	}
	c, err := b.startChild(ctx, b.campaign, b.profile, false)
	if err != nil {
		return restoreAnswer{}, err
	}
	a := restoreAnswer{Facts: facts}
	err = c.ready(ctx)
	a.Seconds = time.Since(c.began).Seconds()
	a.FactsPerS = float64(facts) / a.Seconds
	a.CPU = micros(cpuOf(c.pid())) / float64(facts)
	return a, errors.Join(err, c.stop())
}

// facts is the sum of the last seqs that the committed metadata names.
func (b *bench) facts(ctx context.Context) (n int64, err error) {
	commits, err := b.log.CommittedOffsets(ctx, b.cfg.GroupID(), schemas.TopicEvents)
	if err != nil {
		return 0, err
	}
	for _, c := range commits {
		m, err := schemas.ParseMetadata(c.Metadata)
		if err != nil {
			return 0, err
		}
		n += m.Seq
	}
	return n, nil
}

func (a *restoreAnswer) print(w io.Writer) {
	fmt.Fprintf(w, "%d facts restored into an empty directory in %.2f s: %.0f facts/s, %.2f us of CPU per fact\n", a.Facts, a.Seconds, a.FactsPerS, a.CPU)
}
