package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"hongbao/internal/topiclog"
	"hongbao/schemas"
)

// waitFlags say how long a command that sends something waits for what becomes of it.
type waitFlags struct {
	off      bool
	patience time.Duration
}

// waitPatience: a command takes effect within 2 s where every partition has an owner; a dead owner's
// partitions move after the session timeout of 10 s.
const waitPatience = 30 * time.Second

func (f *waitFlags) add(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.off, "no-wait", false, "send, and do not wait for what becomes of it")
	cmd.Flags().DurationVar(&f.patience, "patience", waitPatience, "how long to wait at most")
}

var errEnough = errors.New("enough was seen")

// followUntil hands committed records from the given offsets on, of every topic that has some, to fn, one at
// a time, until fn has seen enough or patience ends, which is no error: fn knows what it has seen.
func followUntil(
	ctx context.Context, log *topiclog.Client, from topiclog.Offsets, patience time.Duration,
	fn func(schemas.Topic, *topiclog.Record) (enough bool, err error),
) error {
	bounded, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	g, following := errgroup.WithContext(bounded)
	var one sync.Mutex
	for t, offsets := range from {
		if offsets == nil {
			continue
		}
		topic := schemas.Topic(t)
		g.Go(func() error {
			return log.Follow(following, topic, offsets, func(r *topiclog.Record) error {
				one.Lock()
				defer one.Unlock()
				enough, err := fn(topic, r)
				if err == nil && enough {
					return errEnough
				}
				return err
			})
		})
	}
	if err := g.Wait(); err != nil && !errors.Is(err, errEnough) {
		return err
	}
	return ctx.Err()
}
