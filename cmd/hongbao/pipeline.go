package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"hongbao/eventstore"
	"hongbao/fsm"
	"hongbao/internal/admission"
	"hongbao/processor"
	"hongbao/schemas"
)

// partitions of every topic, unless topic_partitions says otherwise; of demo and bench always.
const partitions = 16

// pipeline is one wired process. Close it after its Processor's Run has returned.
type pipeline struct {
	x     *processor.Processor
	stock *fsm.RedisIssuer
	close io.Closer
}

// newPipeline wires the rooms by the configuration; nothing is opened but a Redis client, which dials when
// it is first asked. claims stands in Redis's place for claims and limits; nil: Redis.
func newPipeline(cfg *Config, address string, claims *admission.Memory, log *slog.Logger, reg prometheus.Registerer) (*pipeline, error) {
	campaigns, err := cfg.loadCampaigns()
	if err != nil {
		return nil, err
	}
	keys, err := cfg.loadCodeKeys()
	if err != nil {
		return nil, err
	}
	if keys.Demo() {
		log.Warn("invite codes are signed with the published demo key: anybody can mint them; set HONGBAO_CODE_KEYS")
	}
	pcfg, err := cfg.processorConfig(address, log, reg)
	if err != nil {
		return nil, err
	}
	pcfg.Campaigns, pcfg.CodeKeys = campaigns, keys
	client, issuer, err := cfg.redisParts(&pcfg, claims, log)
	if err != nil {
		return nil, err
	}
	x, err := processor.New(pcfg)
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	return &pipeline{x: x, stock: issuer, close: client}, nil
}

func (c *Config) processorConfig(address string, log *slog.Logger, reg prometheus.Registerer) (processor.Config, error) {
	kafka, err := c.kafkaOptions()
	if err != nil {
		return processor.Config{}, err
	}
	pin, err := processor.ParsePinMode(c.Pin)
	if err != nil {
		return processor.Config{}, err
	}
	sync, err := eventstore.ParseSyncMode(c.Sync)
	if err != nil {
		return processor.Config{}, err
	}
	return processor.Config{
		Brokers: c.Brokers, Kafka: kafka, Prefix: c.Prefix, Group: c.GroupID(), Instance: c.Instance, Address: address,
		Partitions: c.partitions(), OpenMax: c.OpenMax, Pin: pin,
		Store:  eventstore.Config{Dir: c.Data, Sync: sync, SyncEvery: c.SyncEvery},
		Logger: log, Metrics: reg,
	}, nil
}

// redisParts are everything that asks Redis: claims and limits, stock, the fleet's rate.
func (c *Config) redisParts(p *processor.Config, claims *admission.Memory, log *slog.Logger) (*redis.Client, *fsm.RedisIssuer, error) {
	options, err := c.redisOptions()
	if err != nil {
		return nil, nil, err
	}
	options.ContextTimeoutEnabled = true
	redis.SetLogger(redisLogger{log})
	if p.Gate, err = admission.New(admission.Config{
		Redis: options, Memory: claims, Prefix: c.RedisTag(), Partitions: c.partitions(), Logger: log,
		Limit: admission.Limit{Count: c.ShareLimit.Count, WindowMS: c.ShareLimit.Window.Milliseconds()},
	}); err != nil {
		return nil, nil, err
	}
	client := redis.NewClient(options)
	issuer, err := fsm.NewRedisIssuer(client, fsm.RedisConfig{Prefix: c.RedisTag(), Partitions: c.partitions()})
	if err != nil {
		return nil, nil, errors.Join(err, client.Close())
	}
	rate := fsm.Rate{PerSecond: c.IssueRate}
	fleet, err := fsm.NewRedisLimiter(client, c.RedisTag(), rate)
	if err != nil {
		return nil, nil, errors.Join(err, client.Close())
	}
	limiter, err := fsm.NewSmooth(fleet, rate, time.Now)
	if err != nil {
		return nil, nil, errors.Join(err, client.Close())
	}
	p.Issuer, p.Stock, p.Limiter = issuer, issuer, limiter
	return client, issuer, nil
}

// loadCampaigns reads the configured files, or takes the built-in campaign.
func (c *Config) loadCampaigns() ([]*schemas.Campaign, error) {
	if len(c.Campaigns) == 0 {
		return []*schemas.Campaign{schemas.DemoCampaign()}, nil
	}
	var all []*schemas.Campaign
	seen := map[int64]string{}
	for _, name := range c.Campaigns {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("campaign file: %w", err)
		}
		camp, err := schemas.ParseCampaign(name, text)
		if err != nil {
			return nil, err
		}
		if other, twice := seen[camp.ID]; twice {
			return nil, fmt.Errorf("campaign %d is in %s and in %s: one file per campaign", camp.ID, other, name)
		}
		seen[camp.ID] = name
		all = append(all, camp)
	}
	return all, nil
}

// loadCodeKeys reads the configured keys, or takes the published demo key.
func (c *Config) loadCodeKeys() (*schemas.CodeKeys, error) {
	text, origin, err := c.CodeKeyText()
	if err != nil {
		return nil, err
	}
	if text == nil {
		return schemas.DemoCodeKeys(), nil
	}
	return schemas.ParseCodeKeys(origin, text)
}

// redisLogger takes what go-redis would write to standard error: failed dials, which the gate tells better.
type redisLogger struct{ log *slog.Logger }

// Printf is go-redis's logging port.
func (l redisLogger) Printf(_ context.Context, format string, args ...any) {
	l.log.Debug("redis client: " + fmt.Sprintf(format, args...))
}
