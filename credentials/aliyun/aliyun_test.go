package aliyun_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aliyun/credentials-go/credentials"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/alb"
	"github.com/cloudlb/cloudlb/credentials/aliyun"
	"github.com/cloudlb/cloudlb/fakecloud"
)

func wantKey(t *testing.T, c *cloudlb.CredentialsCache, key string) cloudlb.Credentials {
	t.Helper()
	cred, err := c.Credentials(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if cred.AccessKeyID != key {
		t.Errorf("got %q, want %q", cred.AccessKeyID, key)
	}
	if number := strings.TrimPrefix(key, "key"); cred.SecretAccessKey != "EXAMPLEsecret"+number || cred.SecurityToken != "" && cred.SecurityToken != "EXAMPLEtoken"+number {
		t.Errorf("%s comes with parts of other keys", key)
	}
	return cred
}

// wantError checks what an error says, and that no secret is in it.
func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		text := fmt.Sprintf("%v %+v %#v", e, e, e)
		if strings.Contains(text, "EXAMPLE") || strings.ContainsAny(e.Error(), "\r\n") {
			t.Errorf("a secret or a line break in %q", text)
		}
	}
	if _, ok := errors.AsType[*url.Error](err); ok {
		t.Errorf("%q wraps a URL", err)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("%q does not say %q", err, p)
		}
	}
}

func fails(t *testing.T, c *cloudlb.CredentialsCache, parts ...string) {
	t.Helper()
	cred, err := c.Credentials(t.Context())
	if err == nil {
		t.Fatalf("got %s, want an error", cred.AccessKeyID)
	}
	wantError(t, err, parts...)
}

func fromConfig(t *testing.T, cfg credentials.Config) *cloudlb.CredentialsCache {
	t.Helper()
	c, err := aliyun.FromConfig(&cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func fromCredential(t *testing.T, cred credentials.Credential) *cloudlb.CredentialsCache {
	t.Helper()
	c, err := aliyun.FromCredential(cred)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// file writes a file of one test.
func file(t *testing.T, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// network is the config of a temporary source and its server.
func network(t *testing.T, kind string, s *keyServer) credentials.Config {
	cfg := credentials.Config{Type: new(kind)}
	switch kind {
	case "ram_role_arn":
		s.wrap = "Credentials"
		cfg.AccessKeyId, cfg.AccessKeySecret = new("ak"), new("EXAMPLEbase")
		cfg.RoleArn, cfg.STSEndpoint = new("acs:ram::1:role/r"), new(serveSTS(t, s))
	case "oidc_role_arn":
		s.wrap = "Credentials"
		cfg.RoleArn, cfg.OIDCProviderArn = new("acs:ram::1:role/r"), new("acs:ram::1:oidc-provider/p")
		cfg.OIDCTokenFilePath, cfg.STSEndpoint = new(file(t, "EXAMPLEoidc")), new(serveSTS(t, s))
	case "ecs_ram_role":
		cfg.RoleName, cfg.DisableIMDSv1 = new(metadataRole(t, s)), new(true)
	case "credentials_uri":
		cfg.Url = new(serve(t, s) + "/keys?user=EXAMPLEuser")
	}
	return cfg
}

var networkKinds = []string{"ram_role_arn", "oidc_role_arn", "ecs_ram_role", "credentials_uri"}

// TestFixedKeys never expire.
func TestFixedKeys(t *testing.T) {
	t.Parallel()
	ak := credentials.Config{Type: new("access_key"), AccessKeyId: new("key1"), AccessKeySecret: new("EXAMPLEsecret1")}
	c := fromConfig(t, ak)
	ak.SetAccessKeyId("other") // is copied
	if cred := wantKey(t, c, "key1"); !cred.Expires.IsZero() || cred.SecurityToken != "" {
		t.Errorf("got a token or %s", cred.Expires)
	}
	sts := credentials.Config{Type: new("sts"), AccessKeyId: new("key1"), AccessKeySecret: new("EXAMPLEsecret1"), SecurityToken: new("EXAMPLEtoken1")}
	if cred := wantKey(t, fromConfig(t, sts), "key1"); !cred.Expires.IsZero() || cred.SecurityToken == "" {
		t.Errorf("got no token, or %s", cred.Expires)
	}
}

// TestTemporaryKeys: each source tells when its keys expire, and brings others
// when a service has refused them.
func TestTemporaryKeys(t *testing.T) {
	t.Parallel()
	for _, kind := range networkKinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := &keyServer{life: time.Hour}
			cfg := network(t, kind, s)
			for name, c := range map[string]func() *cloudlb.CredentialsCache{
				"config": func() *cloudlb.CredentialsCache { return fromConfig(t, cfg) },
				"credential": func() *cloudlb.CredentialsCache {
					cred, err := credentials.NewCredential(&cfg)
					if err != nil {
						t.Fatal(err)
					}
					return fromCredential(t, cred)
				},
			} {
				s.calls.Store(0)
				cache := c()
				used := wantKey(t, cache, "key1")
				if left := time.Until(used.Expires); left < 59*time.Minute || left > time.Hour {
					t.Errorf("%s: the keys expire in %s, want an hour", name, left)
				}
				wantKey(t, cache, "key1")
				if n := s.calls.Load(); n != 1 {
					t.Errorf("%s: %d requests, want 1", name, n)
				}
				fresh, err := cache.Refresh(t.Context(), used)
				switch {
				case err != nil:
					t.Errorf("%s: %v", name, err)
				case name == "config" && fresh.AccessKeyID != "key2":
					t.Errorf("refused keys were replaced by %s", fresh.AccessKeyID)
				case name == "credential" && fresh != used:
					t.Errorf("got %s of a credential that remembers key1", fresh.AccessKeyID)
				}
			}
		})
	}
}

// TestExpiredOnArrival: keys past their expiry are not handed out.
func TestExpiredOnArrival(t *testing.T) {
	t.Parallel()
	for _, kind := range networkKinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			fails(t, fromConfig(t, network(t, kind, &keyServer{life: -time.Minute})), "credentials that expired at")
		})
	}
}

// TestKeyPair is the deprecated rsa_key_pair, which refreshes at 95% of the life.
func TestKeyPair(t *testing.T) {
	t.Parallel()
	config := func(keyFile string) credentials.Config {
		host := serveSTS(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"SessionAccessKey": {"SessionAccessKeyId": "key1", "SessionAccessKeySecret": "EXAMPLEsecret1", "Expiration": %q}}`,
				time.Now().Add(time.Hour).UTC().Format("2006-01-02T15:04:05Z"))
		}))
		return credentials.Config{Type: new("rsa_key_pair"), PublicKeyId: new("id"), PrivateKeyFile: new(keyFile), STSEndpoint: new(host)}
	}
	t.Run("broken file", func(t *testing.T) {
		t.Parallel()
		fails(t, fromConfig(t, config(file(t, "not a key"))), "panicked in github.com/aliyun/credentials-go")
	})
	t.Run("keys", func(t *testing.T) {
		t.Parallel()
		if runtime.GOOS != "linux" {
			t.Skip("its transport trusts the system's roots only")
		}
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		keyFile := file(t, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
		cred := wantKey(t, fromConfig(t, config(keyFile)), "key1")
		if left := time.Until(cred.Expires); left < 59*time.Minute || left > time.Hour {
			t.Errorf("the keys expire in %s, want an hour", left)
		}
	})
}

// TestManyCallers: credentials-go is not safe for them.
func TestManyCallers(t *testing.T) {
	t.Parallel()
	for _, kind := range networkKinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := &keyServer{life: time.Minute} // credentials-go fetches these at every call
			cfg := network(t, kind, s)
			cred, err := credentials.NewCredential(&cfg)
			if err != nil {
				t.Fatal(err)
			}
			c := fromCredential(t, cred)
			var wg sync.WaitGroup
			for i := range 100 {
				wg.Go(func() {
					got, err := c.Credentials(t.Context())
					if err != nil {
						t.Error(err)
						return
					}
					number := strings.TrimPrefix(got.AccessKeyID, "key")
					if got.SecretAccessKey != "EXAMPLEsecret"+number || got.SecurityToken != "EXAMPLEtoken"+number {
						t.Errorf("%s comes with parts of other keys", got.AccessKeyID)
					}
					if i%10 == 0 {
						if _, err := c.Refresh(t.Context(), got); err != nil {
							t.Error(err)
						}
					}
				})
			}
			wg.Wait()
		})
	}
}

// TestHang: a server that does not answer does not hold callers.
func TestHang(t *testing.T) {
	t.Parallel()
	for _, kind := range networkKinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			c := fromConfig(t, network(t, kind, &keyServer{special: hang(t)}))
			for range 2 {
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
				start := time.Now()
				_, err := c.Credentials(ctx)
				cancel()
				wantError(t, err, "waiting for the credentials provider")
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v, want the deadline", err)
				}
				if waited := time.Since(start); waited > 500*time.Millisecond {
					t.Errorf("waited %s", waited)
				}
			}
		})
	}
	t.Run("no deadline", func(t *testing.T) {
		t.Parallel()
		c := fromConfig(t, network(t, "credentials_uri", &keyServer{special: hang(t)}))
		c.RefreshTimeout = 20 * time.Millisecond
		fails(t, c, "no answer within 20ms")
		fails(t, c, "no answer within 20ms")
	})
}

// TestFailures: what each says, without the secrets that credentials-go puts
// into its errors; and that the next call may succeed.
func TestFailures(t *testing.T) {
	t.Parallel()
	incomplete := `{"Code": "Success", "AccessKeyId": "EXAMPLEid", "AccessKeySecret": "EXAMPLEsecret"}`
	for _, c := range []struct {
		name, kind string
		status     int
		body       string
		says       []string
	}{
		{"refused", "ram_role_arn", 403, `{"RequestId":"R-1","Code":"NoPermission","Message":"You are not authorized."}`, []string{"aliyun ram_role_arn", "NoPermission: You are not authorized. (request R-1)"}},
		{"string to sign", "ram_role_arn", 400, `{"Code":"SignatureDoesNotMatch","Message":"server string to sign is:POST&%2F&AccessKeyId%3DEXAMPLEid%26SecurityToken%3DEXAMPLEtoken"}`, []string{"SignatureDoesNotMatch"}},
		{"refused token", "oidc_role_arn", 400, `{"Code":"AuthenticationFail.OIDCToken.Expired","Message":"This JSON Web Token has expired."}`, []string{"OIDCToken.Expired"}},
		{"no role", "ecs_ram_role", 404, "<html>EXAMPLEsecret</html>", []string{"404", "withheld"}},
		{"metadata down", "ecs_ram_role", 503, "", []string{"503"}},
		{"no code", "ecs_ram_role", 200, `{"AccessKeyId": "a", "AccessKeySecret": "EXAMPLEs", "SecurityToken": "EXAMPLEt"}`, []string{"panicked in github.com/aliyun/credentials-go/", "nil pointer"}},
		{"failed code", "ecs_ram_role", 200, `{"Code": "Failed", "AccessKeyId": "a", "AccessKeySecret": "EXAMPLEs", "SecurityToken": "EXAMPLEt", "Expiration": ""}`, []string{"Code is not Success"}},
		{"no expiration", "ram_role_arn", 200, `{"Credentials": {"AccessKeyId": "a", "AccessKeySecret": "EXAMPLEs", "SecurityToken": "EXAMPLEt"}}`, []string{"panicked", "nil pointer"}},
		{"garbage expiration", "ram_role_arn", 200, `{"Credentials": {"AccessKeyId": "a", "AccessKeySecret": "EXAMPLEs", "SecurityToken": "EXAMPLEt", "Expiration": "soon"}}`, []string{"soon"}},
		{"incomplete", "credentials_uri", 200, incomplete, []string{"refresh credentials from GET http://127.0.0.1"}},
		{"keys with an error", "credentials_uri", 500, incomplete, []string{"get credentials from GET http://127.0.0.1"}},
		{"garbage", "credentials_uri", 500, "key=EXAMPLEsecret\ntoken EXAMPLEtoken", []string{"withheld"}},
		{"HTML", "credentials_uri", 200, "<html>EXAMPLEsecret</html>", []string{"invalid character '<'"}},
		{"empty keys", "credentials_uri", 200, `{"AccessKeyId": "", "AccessKeySecret": "", "SecurityToken": "", "Expiration": "2099-01-01T00:00:00Z"}`, []string{"no AccessKeyId"}},
		{"no secret", "credentials_uri", 200, `{"AccessKeyId": "a", "AccessKeySecret": "", "SecurityToken": "", "Expiration": "2099-01-01T00:00:00Z"}`, []string{"no AccessKeySecret"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := &keyServer{life: time.Hour, special: func(n int, w http.ResponseWriter, r *http.Request) bool {
				if n > 1 {
					return false // has recovered
				}
				says(c.status, c.body).ServeHTTP(w, r)
				return true
			}}
			cache := fromConfig(t, network(t, c.kind, s))
			fails(t, cache, c.says...)
			wantKey(t, cache, "key2")
		})
	}
	t.Run("unreachable", func(t *testing.T) {
		t.Parallel()
		cfg := credentials.Config{
			Type: new("ram_role_arn"), AccessKeyId: new("EXAMPLEid"), AccessKeySecret: new("EXAMPLEsecret"), SecurityToken: new("EXAMPLEtoken"),
			RoleArn: new("acs:ram::1:role/r"), STSEndpoint: new("127.0.0.1:1"),
		}
		fails(t, fromConfig(t, cfg), "https://127.0.0.1:1", "connect")
	})
	t.Run("proxy", func(t *testing.T) {
		t.Parallel()
		cfg := credentials.Config{
			Type: new("credentials_uri"), Url: new("http://keys.example/"), Proxy: new("http://user:EXAMPLEpassword@127.0.0.1:1"),
		}
		fails(t, fromConfig(t, cfg), "connect")
	})
	t.Run("URL", func(t *testing.T) {
		t.Parallel()
		cfg := credentials.Config{Type: new("credentials_uri"), Url: new("http://user:EXAMPLEpassword@127.0.0.1:1/?EXAMPLE")}
		fails(t, fromConfig(t, cfg), "127.0.0.1:1", "connect")
	})
}

// TestRefused are configurations and credentials that cannot work.
func TestRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		cfg  *credentials.Config
		says string
	}{
		{"nil", nil, "Default"},
		{"no type", &credentials.Config{}, "access_key, sts"},
		{"bearer", &credentials.Config{Type: new("bearer"), BearerToken: new("EXAMPLEbearer")}, "a bearer token does not sign requests"},
		{"half", &credentials.Config{Type: new("access_key"), AccessKeyId: new("a")}, "only one of AccessKeyId and AccessKeySecret"},
		{"no keys", &credentials.Config{Type: new("access_key")}, "access key id is empty"},
		{"no role", &credentials.Config{Type: new("ram_role_arn"), AccessKeyId: new("a"), AccessKeySecret: new("EXAMPLE")}, "RoleArn is empty"},
		{"no file", &credentials.Config{Type: new("rsa_key_pair"), PublicKeyId: new("a"), PrivateKeyFile: new(filepath.Join(t.TempDir(), "none"))}, "no such file"},
	} {
		_, err := aliyun.FromConfig(c.cfg)
		wantError(t, err, "aliyun", c.says)
	}
	_, err := aliyun.FromCredential(nil)
	wantError(t, err, "no credential")
	bearer, err := credentials.NewCredential(&credentials.Config{Type: new("bearer"), BearerToken: new("EXAMPLEbearer")})
	if err != nil {
		t.Fatal(err)
	}
	_, err = aliyun.FromCredential(bearer)
	wantError(t, err, "a bearer token does not sign requests")
}

// memory is a credential of the user's own.
type memory struct {
	credentials.Credential
	get func() (*credentials.CredentialModel, error)
}

func (m memory) GetCredential() (*credentials.CredentialModel, error) { return m.get() }

// TestOwnCredential: it can do anything, and does not tell when its keys expire.
func TestOwnCredential(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, says string
		get        func() (*credentials.CredentialModel, error)
	}{
		{"nil model", "no keys and no error", func() (*credentials.CredentialModel, error) { return nil, nil }},
		{"nil fields", "no AccessKeyId", func() (*credentials.CredentialModel, error) { return &credentials.CredentialModel{}, nil }},
		{"bearer", "a bearer token does not sign", func() (*credentials.CredentialModel, error) {
			return &credentials.CredentialModel{BearerToken: new("EXAMPLE")}, nil
		}},
		{"no secret", "no AccessKeySecret", func() (*credentials.CredentialModel, error) {
			return &credentials.CredentialModel{AccessKeyId: new("a")}, nil
		}},
		{"panic", "panicked", func() (*credentials.CredentialModel, error) { panic("EXAMPLE") }},
		{"error", "sorry: AccessKeySecret: ***", func() (*credentials.CredentialModel, error) {
			return nil, errors.New("sorry: AccessKeySecret: EXAMPLE")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			fails(t, fromCredential(t, memory{get: c.get}), "aliyun", c.says)
		})
	}
	t.Run("rotation", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			broken := false
			number := 1
			var handedOut time.Time
			c := fromCredential(t, memory{get: func() (*credentials.CredentialModel, error) {
				if broken {
					return nil, errors.New("503")
				}
				handedOut = time.Now()
				return &credentials.CredentialModel{AccessKeyId: new(fmt.Sprint("key", number)), AccessKeySecret: new(fmt.Sprint("EXAMPLEsecret", number))}, nil
			}})
			rotated := time.Now().Add(10 * time.Minute)
			for seen := ""; seen != "key2"; <-time.After(time.Second) {
				if !time.Now().Before(rotated) {
					number = 2
				}
				if time.Since(rotated) > 150*time.Second {
					t.Fatal("rotated keys were not picked up")
				}
				cred, err := c.Credentials(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				seen = cred.AccessKeyID
				synctest.Wait() // for a refresh in the background
			}
			broken = true
			for {
				if _, err := c.Credentials(t.Context()); err != nil {
					wantError(t, err, "expired at", "503")
					break
				}
				synctest.Wait()
				<-time.After(time.Second)
			}
			if d := time.Since(handedOut); d < 149*time.Second || d > 151*time.Second {
				t.Errorf("keys of unknown expiry were used for %s", d)
			}
			broken = false
			wantKey(t, c, "key2")
		})
	})
}

// cleanChain leaves the default chain without a source.
func cleanChain(t *testing.T) {
	t.Helper()
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	t.Setenv("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "true")
}

// TestChainRecovers: from a total failure, with the chain of credentials-go that
// the caller built as well as with Default.
func TestChainRecovers(t *testing.T) {
	for name, chain := range map[string]func(*testing.T) *cloudlb.CredentialsCache{
		"Default": func(*testing.T) *cloudlb.CredentialsCache { return aliyun.Default() },
		"FromCredential": func(t *testing.T) *cloudlb.CredentialsCache {
			cred, err := credentials.NewCredential(nil)
			if err != nil {
				t.Fatal(err)
			}
			return fromCredential(t, cred)
		},
	} {
		t.Run(name, func(t *testing.T) {
			cleanChain(t)
			c := chain(t)
			fails(t, c, "aliyun default", "ALIBABA_CLOUD_ACCESS_KEY_ID", "config.json")
			t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "key1")
			t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "EXAMPLEsecret1")
			if cred := wantKey(t, c, "key1"); !cred.Expires.IsZero() {
				t.Errorf("keys of the environment expire at %s", cred.Expires)
			}
			t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "key2")
			t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "EXAMPLEsecret2")
			fresh, err := c.Refresh(t.Context(), cloudlb.Credentials{AccessKeyID: "key1", SecretAccessKey: "EXAMPLEsecret1"})
			if err != nil || fresh.AccessKeyID != "key2" {
				t.Errorf("got %s, %v after key1 was refused", fresh.AccessKeyID, err)
			}
		})
	}
}

// TestChainOrder: the documented one.
//
//nolint:paralleltest // it sets the environment
func TestChainOrder(t *testing.T) {
	cleanChain(t)
	write := func(name, content string) {
		name = filepath.Join(os.Getenv("HOME"), name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// From the last to the first; each is preferred to those before it.
	steps := []struct {
		key string
		set func()
	}{
		{"key1", func() { t.Setenv("ALIBABA_CLOUD_CREDENTIALS_URI", serve(t, &keyServer{life: time.Hour})) }},
		{"key2", func() {
			s := &keyServer{life: time.Hour}
			s.calls.Store(1)
			t.Setenv("ALIBABA_CLOUD_ECS_METADATA", metadataRole(t, s))
			t.Setenv("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "")
		}},
		{"key3", func() {
			write(".alibabacloud/credentials", "[default]\ntype = access_key\naccess_key_id = key3\naccess_key_secret = EXAMPLEsecret3\n")
		}},
		{"key4", func() {
			write(".aliyun/config.json", `{"current": "a", "profiles": [{"name": "a", "mode": "StsToken", "access_key_id": "key4", "access_key_secret": "EXAMPLEsecret4", "sts_token": "EXAMPLEtoken4"}]}`)
		}},
		{"key6", func() {
			t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "key6")
			t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "EXAMPLEsecret6")
			t.Setenv("ALIBABA_CLOUD_SECURITY_TOKEN", "EXAMPLEtoken6")
		}},
	}
	for _, s := range steps {
		s.set()
		cred := wantKey(t, aliyun.Default(), s.key)
		if temporary := s.key < "key3"; temporary == cred.Expires.IsZero() {
			t.Errorf("%s expires at %s", s.key, cred.Expires)
		}
	}
}

// TestChainHang: a metadata server that does not answer is the usual fate of a
// default chain outside the cloud.
func TestChainHang(t *testing.T) {
	cleanChain(t)
	t.Setenv("ALIBABA_CLOUD_ECS_METADATA_DISABLED", "")
	t.Setenv("ALIBABA_CLOUD_ECS_METADATA", metadataRole(t, &keyServer{special: hang(t)}))
	c := aliyun.Default()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := c.Credentials(ctx)
	wantError(t, err)
	if waited := time.Since(start); waited > 500*time.Millisecond || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v after %s", err, waited)
	}
}

// TestProfile reads what the CLI writes, again after a failure and a refusal.
func TestProfile(t *testing.T) {
	cleanChain(t)
	name := filepath.Join(t.TempDir(), "config.json")
	t.Setenv("ALIBABA_CLOUD_CONFIG_FILE", name)
	write := func(content string) {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	profiles := func(number int) string {
		b, err := json.Marshal(map[string]any{"current": "first", "profiles": []map[string]any{
			{"name": "first", "mode": "AK", "access_key_id": "key9", "access_key_secret": "EXAMPLEsecret9"},
			{"name": "prod", "mode": "StsToken", "access_key_id": fmt.Sprint("key", number), "access_key_secret": fmt.Sprint("EXAMPLEsecret", number), "sts_token": fmt.Sprint("EXAMPLEtoken", number)},
		}})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	c := aliyun.Profile("prod")
	fails(t, c, "aliyun CLI profile", "no such file")
	write(strings.Replace(profiles(1), "}]", "", 1)) // cut off
	fails(t, c, "withheld")
	write(strings.ReplaceAll(profiles(1), "prod", "test"))
	fails(t, c, "unable to get profile with 'prod'")
	write(profiles(1))
	used := wantKey(t, c, "key1")
	write(profiles(2))
	wantKey(t, c, "key1")
	if fresh, err := c.Refresh(t.Context(), used); err != nil || fresh.AccessKeyID != "key2" {
		t.Errorf("got %s, %v after key1 was refused", fresh.AccessKeyID, err)
	}
	wantKey(t, aliyun.Profile(""), "key9")
}

// TestIniProfile: a file that cannot be read is not in the error.
func TestIniProfile(t *testing.T) {
	cleanChain(t)
	t.Setenv("ALIBABA_CLOUD_CREDENTIALS_FILE", file(t, "[default]\naccess_key_secret EXAMPLEsecret\n"))
	fails(t, aliyun.Default(), "withheld")
}

// TestNothingPrints: not the cache, nor the source in it.
func TestNothingPrints(t *testing.T) {
	t.Parallel()
	c := fromConfig(t, credentials.Config{Type: new("sts"), AccessKeyId: new("key1"), AccessKeySecret: new("EXAMPLEsecret1"), SecurityToken: new("EXAMPLEtoken1")})
	wantKey(t, c, "key1")
	out := fmt.Sprintf("%v %+v %#v %s %v %+v %#v", c, c, c, c, c.Provider, c.Provider, c.Provider)
	if text, err := json.Marshal(c); err != nil || strings.Contains(out+string(text), "EXAMPLE") || strings.Contains(out+string(text), "key1") {
		t.Errorf("printed: %s %s %v", out, text, err)
	}
}

// TestClient signs a request with it.
func TestClient(t *testing.T) {
	t.Parallel()
	cloud := fakecloud.New()
	cfg := cloud.Config()
	keys, err := cfg.Credentials.Credentials(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cfg.Credentials = fromConfig(t, credentials.Config{Type: new("access_key"), AccessKeyId: &keys.AccessKeyID, AccessKeySecret: &keys.SecretAccessKey})
	lb, err := alb.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lb.ListServerGroups(t.Context(), alb.ListServerGroupsRequest{}); err != nil {
		t.Error(err)
	}
}
