// Command subscribe is a subscriber of coupon.results: it prints every transition of every coupon
// once, as a line of JSON. Its two rules are those of any subscriber: read_committed, and the
// dedupe key voucher_id + transition (docs/results.md).
//
//	go run ./examples/subscribe [-brokers 127.0.0.1:9092] [-topic coupon.results] [-quiet 5s]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo" //nolint:depguard // a program from outside, which knows Kafka by itself
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	pb "hongbao/schemas/invitepb"
)

func main() {
	brokers := flag.String("brokers", "127.0.0.1:9092", "Kafka's seed brokers, comma-separated")
	topic := flag.String("topic", "coupon.results", "topic, with its prefix if it has one")
	quiet := flag.Duration("quiet", 0, "end when nothing has come for so long; 0: never")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := subscribe(ctx, os.Stdout, strings.Split(*brokers, ","), *topic, *quiet)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "subscribe:", err)
		os.Exit(1) //nolint:forbidigo // this is a main
	}
}

// subscribe reads from the beginning. A real subscriber has a group, and keeps `applied` in its own database, in the same
// transaction as what it does about a transition.
func subscribe(ctx context.Context, out io.Writer, brokers []string, topic string, quiet time.Duration) error {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(brokers...),
		kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), // the default of most clients is read_uncommitted
	)
	if err != nil {
		return err
	}
	defer client.Close()
	applied := map[string]int32{} // per voucher the highest transition number
	for {
		fetches, err := poll(ctx, client, quiet)
		if err != nil || fetches == nil {
			return err
		}
		for _, record := range fetches.Records() {
			if err := apply(out, applied, record.Value); err != nil {
				return fmt.Errorf("%s/%d offset %d: %w", record.Topic, record.Partition, record.Offset, err)
			}
		}
	}
}

// poll returns nothing once ctx has ended, or when nothing came within quiet.
func poll(ctx context.Context, client *kgo.Client, quiet time.Duration) (kgo.Fetches, error) {
	wait, cancel := ctx, context.CancelFunc(func() {})
	if quiet > 0 {
		wait, cancel = context.WithTimeout(ctx, quiet)
	}
	defer cancel()
	fetches := client.PollFetches(wait)
	if wait.Err() != nil {
		return nil, nil
	}
	var errs []error
	fetches.EachError(func(topic string, partition int32, err error) {
		errs = append(errs, fmt.Errorf("%s/%d: %w", topic, partition, err))
	})
	return fetches, errors.Join(errs...)
}

// apply prints the transitions of a record that are new. The transitions of a voucher come in order.
func apply(out io.Writer, applied map[string]int32, value []byte) error {
	var result pb.CouponResult
	if err := proto.Unmarshal(value, &result); err != nil {
		return err
	}
	for _, t := range result.GetTransitions() {
		if t.GetTransition() <= applied[result.GetVoucherId()] {
			continue
		}
		line, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(t)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s user %d chain %d: %s\n", result.GetVoucherId(), result.GetUserId(), result.GetChainId(), line)
		applied[result.GetVoucherId()] = t.GetTransition()
	}
	return nil
}
