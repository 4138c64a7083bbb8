package huaweicloud_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/credentials/huaweicloud"
	"github.com/cloudlb/cloudlb/elb"
)

// local is the default chain with a metadata service of its own.
func local(h http.HandlerFunc) cloudlb.CredentialsProvider {
	return huaweicloud.Chain(
		huaweicloud.Environment(),
		huaweicloud.ProfileFile(huaweicloud.ProfileOptions{}),
		huaweicloud.Metadata(huaweicloud.MetadataOptions{HTTPClient: inProcess(h)}),
		huaweicloud.PodIdentity(huaweicloud.PodIdentityOptions{}),
	)
}

func TestChain(t *testing.T) {
	clearEnv(t)
	e := &ecs{}
	status := http.StatusInternalServerError
	p := local(func(w http.ResponseWriter, r *http.Request) {
		if status != 0 {
			w.WriteHeader(status)
			return
		}
		e.ServeHTTP(w, r)
	})
	// Nothing anywhere: everyone's word, in order, and nothing remembered.
	text := fails(t, p, cloudlb.ErrUnavailable, "none of 4 sources has any: environment: HUAWEICLOUD_SDK_AK",
		"; profile file: there is no file", "; ECS metadata: Internal Server Error (status 500); pod identity: HC_CONTAINER")
	if strings.Contains(text, "unauthenticated") {
		t.Error(text)
	}
	status = http.StatusNotFound
	fails(t, p, cloudlb.ErrUnauthenticated, "this ECS has no agency")
	status = 0
	first := get(t, p)
	if first.AccessKeyID != "AK000000000000000001" {
		t.Error("not the metadata's")
	}
	// It stays with the source that it has found.
	t.Setenv("HUAWEICLOUD_SDK_AK", "env")
	t.Setenv("HUAWEICLOUD_SDK_SK", secret)
	if get(t, p) != first {
		t.Error("another identity while the program runs")
	}
	e.expires = time.Time{}
	if cred, err := p.(cloudlb.CredentialsRefresher).Refresh(t.Context(), first); err != nil || cred.AccessKeyID != "AK000000000000000002" {
		t.Errorf("refresh: %v", err)
	}
	never := func(http.ResponseWriter, *http.Request) { t.Error("the metadata service was asked") }
	p = local(never)
	if cred := get(t, p); cred.AccessKeyID != "env" {
		t.Error("not the environment's")
	}
	if cred, err := p.(cloudlb.CredentialsRefresher).Refresh(t.Context(), cloudlb.Credentials{}); err != nil || cred.AccessKeyID != "env" {
		t.Errorf("refresh: %v", err)
	}
	// Set up by half is not passed by.
	t.Setenv("HUAWEICLOUD_SDK_SK", "")
	fails(t, local(never), cloudlb.ErrUnauthenticated, "HUAWEICLOUD_SDK_AK is set, but HUAWEICLOUD_SDK_SK is not")
	t.Setenv("HUAWEICLOUD_SDK_AK", "")
	t.Setenv("HUAWEICLOUD_SDK_CREDENTIALS_FILE", write(t, "[basic]\nak=x"))
	fails(t, local(never), cloudlb.ErrUnauthenticated, "needs ak and sk")
	t.Setenv("HUAWEICLOUD_SDK_CREDENTIALS_FILE", write(t, "[basic]\nak=file\nsk=s"))
	if cred := get(t, local(never)); cred.AccessKeyID != "file" {
		t.Error("not the file's")
	}
	if cred := get(t, huaweicloud.Default()); cred.AccessKeyID != "file" {
		t.Error("not the file's")
	}
}

func TestChainEnds(t *testing.T) {
	t.Parallel()
	fails(t, huaweicloud.Chain(), cloudlb.ErrUnauthenticated, "no sources")
	own := errors.New("own")
	calls := 0
	fail := providerFunc(func(context.Context) (cloudlb.Credentials, error) { calls++; return cloudlb.Credentials{}, own })
	fails(t, huaweicloud.Chain(nil, fail, fail), own, "none of 2 sources has any: own; own")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := huaweicloud.Chain(fail, fail).Credentials(ctx); !errors.Is(err, own) || calls != 3 {
		t.Errorf("%v after %d calls", err, calls)
	}
}

// TestChainInCall is what a user sees who has no credentials.
func TestChainInCall(t *testing.T) {
	clearEnv(t)
	t.Setenv("HUAWEICLOUD_SDK_AK", "")
	c, err := elb.New(cloudlb.Config{
		Region:      "cn-north-4",
		Credentials: local(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }),
		HTTPClient:  inProcess(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("sent") })),
		Retry:       cloudlb.NoRetry(),
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.ListMembers(t.Context(), elb.ListMembersRequest{PoolID: "36ce7086-a496-4666-9064-5ba0e6840c75"})
	if !errors.Is(err, cloudlb.ErrUnauthenticated) || errors.Is(err, cloudlb.ErrNotFound) || strings.Contains(err.Error(), "\n") {
		t.Error(err)
	}
}

// TestNothingPrints a secret.
func TestNothingPrints(t *testing.T) {
	t.Parallel()
	opts := huaweicloud.IAMTokenOptions{User: "u", Password: secret, Domain: "d", Region: "cn-north-4", HTTPClient: inProcess(&iam{})}
	token, err := huaweicloud.IAMToken(opts)
	if err != nil {
		t.Fatal(err)
	}
	metadata := huaweicloud.Metadata(huaweicloud.MetadataOptions{HTTPClient: inProcess(&ecs{sessions: true})})
	chain := huaweicloud.Chain(metadata, token)
	file := huaweicloud.ProfileFile(huaweicloud.ProfileOptions{Path: write(t, "[basic]\nak=a\nsk="+secret)})
	get(t, token)
	get(t, chain)
	get(t, file)
	type holder struct{ p cloudlb.CredentialsProvider }
	for _, v := range []any{
		opts, &opts, token, metadata, chain, file, huaweicloud.Environment(), huaweicloud.PodIdentity(huaweicloud.PodIdentityOptions{}),
		token.(*cloudlb.CredentialsCache).Provider, metadata.(*cloudlb.CredentialsCache).Provider,
		holder{token},
		holder{chain},
		holder{file},
		&holder{metadata},
		holder{token.(*cloudlb.CredentialsCache).Provider},
	} {
		var written strings.Builder
		slog.New(slog.NewTextHandler(&written, nil)).Info("x", slog.Any("v", v))
		b, _ := json.Marshal(v)
		text := fmt.Sprintf("%v %+v %#v", v, v, v) + written.String() + string(b)
		switch v.(type) {
		case holder, *holder:
		default: // with other verbs fmt looks into a holder's pointers, unlocked
			text += fmt.Sprintf("%s %q %x %d", v, v, v, v)
		}
		for _, hidden := range []string{secret, fmt.Sprintf("%x", secret), "token-1", "session-1"} {
			if strings.Contains(text, hidden) {
				t.Errorf("%T prints %s", v, text)
			}
		}
	}
}
