package main

import (
	"context"
	"errors"
	"io"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"hongbao/fsm"
	"hongbao/internal/verify"
	"hongbao/schemas"
)

func newVerifyCommand(a *app) *cobra.Command {
	var withRedis bool
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Recompute everything from the topics and say what is not as it should be",
		Long: `Read all topics with read_committed and recompute verdicts, graph, rewards, coupons and results with code of its own.
Exit code 0: nothing is broken, nothing waits and no coupon is open.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := a.verify(cmd.Context(), withRedis)
			if err != nil {
				return err
			}
			if err := a.answer(r, func(w io.Writer) { _ = r.Print(w) }); err != nil || r.OK {
				return err
			}
			return errFailed
		},
	}
	addFlags(cmd.Flags(), "code-keys")
	cmd.Flags().BoolVar(&withRedis, "stock", false, "also compare the issuer's memory in --redis with the facts; wants a system at rest")
	return cmd
}

func (a *app) verify(ctx context.Context, withRedis bool) (*verify.Report, error) {
	keys, err := a.cfg.loadCodeKeys()
	if err != nil {
		return nil, err
	}
	log, err := a.dialTopics(ctx)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cfg := verify.Config{Log: verify.OnKafka(log), Group: a.cfg.GroupID(), Keys: keys}
	if !withRedis {
		return verify.Run(ctx, cfg)
	}
	options, err := a.cfg.redisOptions()
	if err != nil {
		return nil, err
	}
	options.ContextTimeoutEnabled = true
	client := redis.NewClient(options)
	issuer, err := fsm.NewRedisIssuer(client, fsm.RedisConfig{Prefix: a.cfg.RedisTag(), Partitions: partitions})
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	cfg.Stock = issuerMemory{issuer}
	r, err := verify.Run(ctx, cfg)
	return r, errors.Join(err, client.Close())
}

// issuerMemory is what the issuer's Redis says of a campaign.
type issuerMemory struct{ issuer *fsm.RedisIssuer }

// Remembered is verify.Stock's.
func (m issuerMemory) Remembered(ctx context.Context, campaign int64, fn func(id schemas.CouponID, done bool) error) error {
	done := map[schemas.CouponID]bool{}
	if err := m.issuer.Each(ctx, campaign, func(k fsm.Key, a fsm.Answer) error {
		done[k.ID] = done[k.ID] || a == fsm.Done
		return nil
	}); err != nil {
		return err
	}
	for id, d := range done {
		if err := fn(id, d); err != nil {
			return err
		}
	}
	return nil
}

// Levels is verify.Stock's.
func (m issuerMemory) Levels(ctx context.Context, campaign int64) ([]verify.Level, error) {
	n, err := m.issuer.Counts(ctx, campaign)
	if err != nil {
		return nil, err
	}
	all := make([]verify.Level, 0, len(n.Kinds))
	for _, k := range n.Kinds {
		all = append(all, verify.Level{Campaign: campaign, Coupon: k.Kind, Declared: k.Declared, Left: k.Left})
	}
	return all, nil
}
