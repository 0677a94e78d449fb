package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// certificate writes a self-signed certificate for 127.0.0.1, good for both sides, and its key.
func certificate(t *testing.T) (certFile, keyFile string, server *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "hongbao test"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	certFile, keyFile = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	for name, text := range map[string][]byte{certFile: certPEM, keyFile: keyPEM} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(certPEM)
	return certFile, keyFile, &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool,
	}
}

// reachKafka asks a broker something that needs the whole connection.
func reachKafka(t *testing.T, c *Config) error {
	t.Helper()
	opts, err := c.kafkaOptions()
	if err != nil {
		t.Fatal(err)
	}
	client, err := kgo.NewClient(append(opts, kgo.RequestRetries(0))...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	return client.Ping(ctx)
}

func TestKafkaOverTLSAndSASL(t *testing.T) {
	t.Parallel()
	certFile, keyFile, server := certificate(t)
	for _, mechanism := range []string{saslPlain, saslScram256, saslScram512} {
		t.Run(mechanism, func(t *testing.T) {
			t.Parallel()
			broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.TLS(server),
				kfake.EnableSASL(), kfake.Superuser(mechanism, "me", "hunter2"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(broker.Close)
			good := Config{
				Brokers:    broker.ListenAddrs(),
				KafkaTLSCA: certFile, KafkaTLSCert: certFile, KafkaTLSKey: keyFile,
				KafkaSASL: mechanism, KafkaSASLUser: "me", KafkaSASLPassword: "hunter2",
			}
			if err := reachKafka(t, &good); err != nil {
				t.Errorf("with everything right: %v", err)
			}
			for name, spoil := range map[string]func(*Config){
				"wrong password":     func(c *Config) { c.KafkaSASLPassword = "hunter3" },
				"no SASL":            func(c *Config) { c.KafkaSASL = "" },
				"no client cert":     func(c *Config) { c.KafkaTLSCert, c.KafkaTLSKey = "", "" },
				"another authority":  func(c *Config) { c.KafkaTLSCA = ""; c.KafkaTLS = true },
				"another name":       func(c *Config) { c.KafkaTLSServerName = "kafka.example.com" },
				"in the clear (TLS)": func(c *Config) { c.KafkaTLSCA, c.KafkaTLSCert, c.KafkaTLSKey = "", "", "" },
			} {
				bad := good
				spoil(&bad)
				if reachKafka(t, &bad) == nil {
					t.Errorf("%s: the broker was reached all the same", name)
				}
			}
		})
	}
}

func TestRedisOverTLSWithPassword(t *testing.T) {
	t.Parallel()
	certFile, keyFile, server := certificate(t)
	mini := miniredis.NewMiniRedis()
	mini.RequireUserAuth("me", "hunter2")
	if err := mini.StartTLS(server); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(mini.Close)
	good := Config{
		Redis: mini.Addr(), RedisUser: "me", RedisPassword: "hunter2",
		RedisTLSCA: certFile, RedisTLSCert: certFile, RedisTLSKey: keyFile,
	}
	reach := func(c Config) error {
		opts, err := c.redisOptions()
		if err != nil {
			t.Fatal(err)
		}
		opts.MaxRetries = -1
		client := redis.NewClient(opts)
		defer func() { _ = client.Close() }()
		return client.Ping(t.Context()).Err()
	}
	if err := reach(good); err != nil {
		t.Errorf("with everything right: %v", err)
	}
	for name, spoil := range map[string]func(*Config){
		"wrong password": func(c *Config) { c.RedisPassword = "hunter3" },
		"no client cert": func(c *Config) { c.RedisTLSCert, c.RedisTLSKey = "", "" },
		"another name":   func(c *Config) { c.RedisTLSServerName = "redis.example.com" },
	} {
		bad := good
		spoil(&bad)
		if reach(bad) == nil {
			t.Errorf("%s: Redis was reached all the same", name)
		}
	}
}

func TestTLSFileRefusals(t *testing.T) {
	t.Parallel()
	certFile, keyFile, _ := certificate(t)
	for name, test := range map[string]struct {
		files tlsFiles
		want  string
	}{
		"no such file":    {tlsFiles{ca: "/no/such/ca.pem"}, "kafka_tls_ca: open /no/such/ca.pem"},
		"no certificate":  {tlsFiles{ca: keyFile}, "kafka_tls_ca: " + keyFile + " holds no PEM certificate"},
		"key is no key":   {tlsFiles{cert: certFile, key: certFile}, "kafka_tls_cert and kafka_tls_key: "},
		"cert is no cert": {tlsFiles{cert: keyFile, key: keyFile}, "kafka_tls_cert and kafka_tls_key: "},
	} {
		if _, err := test.files.load("kafka_tls"); err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", name, err, test.want)
		}
	}
	if cfg, err := (tlsFiles{}).load("kafka_tls"); cfg != nil || err != nil {
		t.Errorf("nothing set: got %v and %v, want no TLS", cfg, err)
	}
}

func TestCodeKeyText(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "keys.yaml")
	if err := os.WriteFile(file, []byte("from a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	for setting, want := range map[string][2]string{
		"":                      {"", ""},
		file:                    {"from a file", file},
		`{"keys":[]}`:           {`{"keys":[]}`, "HONGBAO_CODE_KEYS"},
		"keys:\n  - id: 1\n":    {"keys:\n  - id: 1\n", "HONGBAO_CODE_KEYS"},
		"1: 00112233445566 # x": {"1: 00112233445566 # x", "HONGBAO_CODE_KEYS"},
	} {
		cfg := Config{CodeKeys: setting}
		text, origin, err := cfg.CodeKeyText()
		if err != nil || string(text) != want[0] || origin != want[1] {
			t.Errorf("%q: got %q from %q, %v; want %q", setting, text, origin, err, want)
		}
	}
	cfg := Config{CodeKeys: "/no/such/keys.yaml"}
	if _, _, err := cfg.CodeKeyText(); err == nil || !strings.Contains(err.Error(), "/no/such/keys.yaml") {
		t.Errorf("a file that is not there: got %v", err)
	}
}
