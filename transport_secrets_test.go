package cloudlb_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/alb"
	"github.com/cloudlb/cloudlb/apig"
	"github.com/cloudlb/cloudlb/elb"
	"github.com/cloudlb/cloudlb/slb"
)

// The values that must not show up anywhere.
const (
	secretID       = "EXAMPLEidEXAMPLEidEXAMPLE01"
	secretKey      = "EXAMPLEkey/+EXAMPLEkey=EXAMPLE02"
	secretSTS      = "EXAMPLEsts/+EXAMPLEsts+/EXAMPLEsts==EXAMPLE03"
	secretIAM      = "EXAMPLEiamEXAMPLEiamEXAMPLE04"
	secretPassword = "EXAMPLEpasswordEXAMPLE05"
)

var secretKeys = cloudlb.Credentials{AccessKeyID: secretID, SecretAccessKey: secretKey, SecurityToken: secretSTS, Token: secretIAM}

// checkNoSecret looks for the secrets and for parts of them.
func checkNoSecret(t *testing.T, what, text string) {
	t.Helper()
	for _, part := range []string{"EXAMPLEid", "EXAMPLEkey", "EXAMPLEsts", "EXAMPLEiam", "EXAMPLEpass"} {
		if strings.Contains(text, part) {
			t.Errorf("%s shows a secret: %.600q", what, text)
			return
		}
	}
	for _, secret := range []string{secretID, secretKey, secretSTS, secretIAM, secretPassword} {
		if strings.Contains(text, fmt.Sprintf("%x", secret)) || strings.Contains(text, fmt.Sprintf("%X", secret)) {
			t.Errorf("%s shows a secret in hexadecimal: %.2000q", what, text)
		}
	}
}

// checkPrints prints v in every way there is.
func checkPrints(t *testing.T, what string, v any) {
	t.Helper()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "% X", "%d", "%10.3v"} {
		checkNoSecret(t, what+" "+verb, fmt.Sprintf(verb, v))
		checkNoSecret(t, what+" in a list "+verb, fmt.Sprintf(verb, []any{v}))
		checkNoSecret(t, what+" in a struct "+verb, fmt.Sprintf(verb, struct{ V any }{v}))
	}
	b, err := json.Marshal(v)
	checkNoSecret(t, what+" as JSON", fmt.Sprint(string(b), err))
	var log bytes.Buffer
	debug := &slog.HandlerOptions{Level: slog.LevelDebug, AddSource: true}
	for _, h := range []slog.Handler{slog.NewJSONHandler(&log, debug), slog.NewTextHandler(&log, debug)} {
		slog.New(h).With("with", v).Debug("text", "v", v, slog.Group("g", "v", v))
	}
	checkNoSecret(t, what+" in slog", log.String())
}

// TestSecretsPrinted: no value that holds a secret prints it.
func TestSecretsPrinted(t *testing.T) {
	t.Parallel()
	static := cloudlb.StaticCredentials(secretID, secretKey, secretSTS)
	cfg := testConfig(newScript(t))
	cfg.Credentials = static
	custom := cfg
	custom.Credentials = &keysProvider{secretKeys}
	request := apig.CreateVpcChannelRequest{Name: "channel", MicroserviceInfo: &apig.MicroserviceInfoSpec{
		NacosInfo: &apig.NacosInfoSpec{UserInfo: apig.NacosUserSpec{UserName: "nacos", Password: secretPassword}},
	}}
	for name, v := range map[string]any{
		"Config": cfg, "*Config": &cfg, "Config with a provider of one's own": custom,
		"Credentials": secretKeys, "*Credentials": &secretKeys, "list of Credentials": []cloudlb.Credentials{secretKeys},
		"IAM token":         cloudlb.Credentials{Token: secretIAM},
		"incomplete keys":   cloudlb.Credentials{AccessKeyID: secretID},
		"StaticCredentials": static, "StaticToken": cloudlb.StaticToken(secretIAM),
		"Secret": cloudlb.Secret(secretPassword), "request": request, "*request": &request,
		"response": apig.NacosUser{UserName: "nacos", Password: secretPassword},
		"alb":      must[*alb.Client](t)(alb.New(cfg)), "slb": must[*slb.Client](t)(slb.New(cfg)),
		"elb": must[*elb.Client](t)(elb.New(cfg)), "apig": must[*apig.Client](t)(apig.New(cfg)),
		"alb by value": *must[*alb.Client](t)(alb.New(cfg)), "elb by value": *must[*elb.Client](t)(elb.New(cfg)),
		"map": map[string]cloudlb.Credentials{"k": secretKeys},
	} {
		checkPrints(t, name, v)
	}
	if got := fmt.Sprintf("%v %+v", secretKeys, cloudlb.Secret(secretPassword)); !strings.Contains(got, "credentials(") || !strings.Contains(got, "***") {
		t.Errorf("prints %q", got)
	}
}

// TestSecretsInUnexportedFields: fmt does not ask what stands in an unexported
// field how it wants to be printed.
func TestSecretsInUnexportedFields(t *testing.T) {
	t.Parallel()
	cfg := testConfig(newScript(t))
	cfg.Credentials = cloudlb.StaticCredentials(secretID, secretKey, secretSTS)
	app := struct {
		name   string
		cfg    cloudlb.Config
		keys   cloudlb.CredentialsProvider
		client *alb.Client
	}{"app", cfg, cfg.Credentials, must[*alb.Client](t)(alb.New(cfg))}
	for _, verb := range []string{"%v", "%+v", "%#v"} {
		checkNoSecret(t, verb, fmt.Sprintf(verb, app))
		checkNoSecret(t, verb+" of a pointer", fmt.Sprintf(verb, &app))
	}
}

// TestSecretsInErrors: not even what a server, a proxy or somebody else's
// RoundTripper repeats of a request comes out in an error, a hook or the log.
func TestSecretsInErrors(t *testing.T) {
	t.Parallel()
	echo := func(status int, format string) step {
		return func(r *http.Request) (*http.Response, error) {
			var all strings.Builder
			_ = r.Header.Write(&all)
			text := all.String()
			if r.Header.Get("Authorization") != "" {
				text += secretKey + " " + secretSTS + " " + url.QueryEscape(secretSTS)
			}
			quoted, _ := json.Marshal(text)
			return answers(status, strings.ReplaceAll(strings.ReplaceAll(format, "JSON", string(quoted)), "TEXT", text))(r)
		}
	}
	signed := "https://service.invalid/?AccessKeyId=" + secretID + "&SecurityToken=" + url.QueryEscape(secretSTS) + "&Signature=EXAMPLEid"
	for name, c := range map[string]step{
		"Alibaba": echo(400, `{"Code":"SignatureDoesNotMatch","Message":JSON,"RequestId":JSON}`),
		"code":    echo(400, `{"Code":JSON,"Message":"no"}`),
		"Huawei":  echo(401, `{"error_code":"APIGW.0301","error_msg":JSON,"request_id":JSON}`),
		"nested":  echo(401, `{"error":{"code":"APIGW.0301","message":JSON}}`),
		"XML":     echo(403, `<Error><Code>Forbidden</Code><Message>TEXT</Message></Error>`),
		"HTML":    echo(502, `<html>TEXT</html>`),
		"cut in a value": func(r *http.Request) (*http.Response, error) {
			token := r.Header.Get("X-Acs-Security-Token") + r.Header.Get("X-Security-Token") + r.Header.Get("X-Auth-Token")
			return answers(502, "<html>"+strings.Repeat("-", 180)+token)(r)
		},
		"reply":          echo(200, `{"RequestId":[JSON],"request_id":[JSON]}`),
		"HTML reply":     echo(200, `TEXT`),
		"url.Error":      fails(&url.Error{Op: "Post", URL: signed, Err: errReset}),
		"two url.Errors": fails(fmt.Errorf("middleware: %w", &url.Error{Op: "Post", URL: signed, Err: &url.Error{Op: "Post", URL: signed, Err: io.ErrUnexpectedEOF}})),
		"redirect":       answers(307, "", "Location", signed),
		"throttled":      echo(429, `{"Code":"Throttling","Message":JSON,"error_code":"APIGW.0308","error_msg":JSON}`),
		"success":        nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				for _, op := range []operation{albAdd, slbAdd, elbBatch, apigCreate} {
					for _, keys := range []cloudlb.Credentials{
						{AccessKeyID: secretID, SecretAccessKey: secretKey, SecurityToken: secretSTS},
						{Token: secretIAM},
					} {
						step := c
						if step == nil {
							step = op.ok
						}
						var log bytes.Buffer
						cfg := testConfig(newScript(t).then(step))
						cfg.Credentials = &keysProvider{keys}
						cfg.Logger = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
						cfg.Hooks = cloudlb.Hooks{
							Attempt: func(_ context.Context, a cloudlb.Attempt) { checkPrints(t, op.name+", hook", a) },
							Wait:    func(_ context.Context, w cloudlb.Wait) { checkPrints(t, op.name+", hook", w) },
						}
						_, err := op.bind(t, cfg)(t.Context())
						checkNoSecret(t, op.name+", log", log.String())
						if err == nil {
							continue
						}
						checkPrints(t, op.name+", error", err)
						for cause := errors.Unwrap(err); cause != nil; cause = errors.Unwrap(cause) {
							checkNoSecret(t, op.name+", cause", cause.Error())
						}
						checkOneLine(t, err)
					}
				}
			})
		})
	}
}

// TestSignatureNotRepeated: nor does a signature, which is a password for the
// next minutes.
func TestSignatureNotRepeated(t *testing.T) {
	t.Parallel()
	for _, op := range []operation{albAdd, elbCreate} {
		var signature string
		s := newScript(t).then(func(r *http.Request) (*http.Response, error) {
			_, signature, _ = strings.Cut(r.Header.Get("Authorization"), "Signature=")
			return answers(400, fmt.Sprintf(`{"Code":"SignatureDoesNotMatch","Message":"got %[1]s","error_code":"APIGW.0301","error_msg":"got %[1]s"}`, signature))(r)
		})
		_, err := op.bind(t, once(s))(t.Context())
		if e := failure(t, err); signature == "" || strings.Contains(fmt.Sprintf("%#v", *e), signature) {
			t.Errorf("%s: signature %q in %v", op.name, signature, err)
		}
	}
}

// TestPlaceOfSecrets: keys travel where they belong, in headers, and nothing of
// them in the URL.
func TestPlaceOfSecrets(t *testing.T) {
	t.Parallel()
	for _, op := range []operation{albAdd, slbAdd, elbCreate, apigAdd} {
		s := newScript(t, op.ok)
		cfg := testConfig(s)
		cfg.Credentials = cloudlb.StaticCredentials(secretID, secretKey, secretSTS)
		if _, err := op.bind(t, cfg)(t.Context()); err != nil {
			t.Fatal(err)
		}
		sent := s.requests()[0]
		checkNoSecret(t, op.name+", URL and body", sent.url.String()+sent.body)
		if strings.Contains(fmt.Sprint(sent.header), secretKey) {
			t.Errorf("%s sends the secret key", op.name)
		}
		if got := sent.header.Get("X-Acs-Security-Token") + sent.header.Get("X-Security-Token"); got != secretSTS {
			t.Errorf("%s sends security token %q", op.name, got)
		}
	}
	s := newScript(t, elbCreate.ok)
	cfg := testConfig(s)
	cfg.Credentials = cloudlb.StaticToken(secretIAM)
	if _, err := elbCreate.bind(t, cfg)(t.Context()); err != nil {
		t.Fatal(err)
	}
	if h := s.requests()[0].header; h.Get("X-Auth-Token") != secretIAM || h.Get("Authorization") != "" {
		t.Errorf("headers with an IAM token: %v", h)
	}
}

// TestPasswordSent: a Secret that never prints is sent all the same.
func TestPasswordSent(t *testing.T) {
	t.Parallel()
	s := newScript(t, apigCreate.ok)
	c := must[*apig.Client](t)(apig.New(testConfig(s), apig.WithProjectID(testProject), apig.WithProduct(apig.APIGateway)))
	var req apig.CreateVpcChannelRequest
	if err := json.Unmarshal([]byte(`{"instance_id":"i-1","name":"channel","port":80,"balance_strategy":1,"member_type":"ip","type":3,"vpc_channel_type":"microservice",
		"microservice_info":{"service_type":"NACOS","nacos_info":{"namespace":"n","cluster_name":"c","group_name":"g","service_name":"s",
		"server_config":[{"ip_address":"192.0.2.1","port":8848}],"user_info":{"user_name":"nacos","password":"`+secretPassword+`"}}}}`), &req); err != nil {
		t.Fatal(err)
	}
	if _, err := c.CreateVpcChannel(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(s.requests()[0].body, `"password":"`+secretPassword+`"`) {
		t.Errorf("sent %s", s.requests()[0].body)
	}
	checkPrints(t, "request", req)
}
