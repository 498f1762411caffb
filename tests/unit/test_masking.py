"""Secrets in texts: what is found, what stays, what is known elsewhere, and that no text takes long."""

from __future__ import annotations

import logging
import time

import pytest

from commons.process import logs
from commons.process.masking import MASK, NONE, Secrets, holds_mask, is_secret_name, masked
from commons.storage import without_credentials

HIDDEN = [
    "CREATE TABLE t (password STRING) WITH ('connector'='jdbc', 'password' = '{}', 'x'='y')",
    "SELECT * FROM t /*+ OPTIONS('scan.auth.token'='{}', 'a'='b') */",
    "SET 'sql.my-password' = '{}';",
    'SET "a.secret" = "{}";',
    "SET `a.passwd`=`{}`;",
    "-- first\nSET a.api-key = {};\nSELECT 1",
    "SELECT 1; SET a.token = {};",
    "--@set db_password = {}\nSELECT 1",
    "--@set db_password={}\nSELECT 1",
    "mysql --password {} -u me",
    "mysql --db-password={} -u me",
    "tool -passphrase '{}' -x",
    "export DB_PASSWORD={} OTHER=1",
    'PGPASSWORD="{}" psql',
    "curl -H 'Authorization: Bearer {}' x",
    'curl -H "Authorization: Basic {}" x',
    "curl -H 'X-Api-Key: {}'",
    "curl -H 'Token-Code: {}'",
    "curl --header Cookie:linkis_user_session_ticket_id_v1={}",
    "got Bearer {}9 from there",
    "jdbc:mysql://user:{}@host:3306/db?x=1",
    "redis://:{}@host",
    "jdbc:mysql://host/db?user=u&password={}&x=1",
    "Endpoint=sb://h/;AccountKey={};x=1",
    "'fs.azure.account.key.mine.blob.core.windows.net' = '{}'",
    "'fs.s3a.access.key'='{}'",
    "'s3.secret-key'='{}'",
    "'aws_secret_access_key'='{}'",
    "'privateKey'='{}'",
    "'properties.sasl.jaas.config'='{}'",
    "'x'='org.X required username=\"u\" password=\"{}\";'",
    'conf="org.X required username=\\"u\\" password=\\"{}\\";"',
    '{{"password": "{}", "n": 1}}',
    '{{"credential" : {}}}',
    "options are {{user=me, password={}, x=1}}",
    "password := '{}'",
    "f(secret => '{}')",
    "'password' = '{}",
    "'basic.auth.user-info'='{}'",
    "'PASSWORD'='{}'",
    "-----BEGIN RSA PRIVATE KEY-----{}-----END RSA PRIVATE KEY-----",
    "'password' /* c */ = '{}'",
    "'password' = /* it's a * b **/ '{}', 'x'='y'",
    "'password' = -- the password\n '{}'",
    "'password' -- one\n // two\r\n /* three */=--\n'{}'",
    "SET 'a.password'/**/=/**/'{}';",
    "'password' = U&'{}'",
    "'password' = /* c */ _UTF8'{}'",
    "'password'=N'{}'",
    "PASSWORD=$'{}' x",
]
SECRET = "Zx81kq0v"


@pytest.mark.parametrize("text", HIDDEN)
def test_a_secret_is_masked_and_nothing_else(text: str) -> None:
    with_mask, known = masked(text.format(SECRET)), Secrets.of(text.format(SECRET))
    assert with_mask in (text.format(MASK), text.replace("9", "").format(MASK))
    assert masked(with_mask) == with_mask
    assert known.mask(f"refused: {SECRET}!") == f"refused: {MASK}!" or "9" in text


STAYS = [
    "SELECT a.token=b.token, password AS p FROM t WHERE a.token = b.token AND password IS NULL",
    "UPDATE t\nSET token = upper(token) WHERE 1=1",
    "CREATE TABLE t (token STRING, secret ROW<a INT>, `password` VARCHAR(20))",
    "PASSWORD=$DB_PASSWORD; TOKEN=\"${token}\" secret=$(cat x)",
    "'password' = '${pw}', 'token' = '', 'secret' = NULL, password=true",
    "use --token --other; the secret of it, the password:none, tokens: 4, max_tokens=3, PASSWORD_FILE=/x",
    "'password' = '***'",
    "http://host:8081/a@b, user@host, a::b",
    "tokenizer=x passwordless=y 'format.secretary'='z'",
    "İ ünïcödé " * 3,
    "'num_pass'='3', numPass=3, multi-pass=1, firstPass=x, compass=y, 'tokens'='400', tokens: 4, prompt.tokens=3",
    "'kubernetes.secrets'='name:/path', 'tokens-per-second'='7', 'max.tokens'='4'",
]  # fmt: skip


@pytest.mark.parametrize(
    "literal",
    ["'aaaa'\n'hun''ter2'", "'aaaa' -- it's\n 'hun''ter2'", "'aa'\r\n'aa' /* 'x' */\n-- and\n 'hun''ter2'",
     "U&'\\0061aaa'\n'hun''te\\00722'"],
)  # fmt: skip
def test_a_literal_that_goes_on_in_the_next_line_is_one_value(literal: str) -> None:
    text = f"WITH ('password' = {literal}, 'a' = 'b'\n)"
    assert masked(text) in ("WITH ('password' = '***', 'a' = 'b'\n)", "WITH ('password' = U&'***', 'a' = 'b'\n)")
    assert Secrets.of(text).mask("no aaaahun'ter2 here") == "no *** here"


def test_literals_side_by_side_are_not_one_value() -> None:
    assert masked("--password='a1' 'b'") == "--password='***' 'b'"
    assert masked("PASSWORD='a1'\n'unclosed") == "PASSWORD='***'\n'unclosed"
    assert Secrets.of("'password' = U&'half \\D800'").values == ("half \\D800",), (
        "what no text can hold stays as written"
    )


@pytest.mark.parametrize("text", STAYS)
def test_what_is_no_secret_stays(text: str) -> None:
    assert masked(text) == text and Secrets.of(text) == NONE


def test_letters_that_change_their_length_shift_nothing() -> None:
    assert masked("İİİ 'PassWord' = 'İabc' x") == "İİİ 'PassWord' = '***' x"


def test_quotes_within_are_part_of_it_and_both_ways_to_write_it_are_known() -> None:
    secrets = Secrets.of("'password'='it''s  so')", 'token="say \\"hi\\" 1"')
    assert secrets.mask("it's  so; it''s  so; it's so") == "***; ***; ***"
    assert secrets.mask('say "hi" 1') == MASK
    assert masked("'password'='it''s so', 'a'='b'") == "'password'='***', 'a'='b'"


def test_what_is_within_a_secret_and_each_of_its_lines_is_known() -> None:
    jaas = Secrets.of("'sasl.jaas.config' = 'X required user=\"u\" password=\"inner123\";'")
    assert jaas.mask("wrong: inner123") == "wrong: ***"
    key = Secrets.of("'private.key' = 'first1line\nsecond2line'")
    assert key.mask("at second2line") == "at ***"
    assert Secrets.of("a://u:p%40ss9word@h").mask("p@ss9word") == MASK


def test_short_values_and_words_do_not_turn_logs_to_stars() -> None:
    secrets = Secrets.of({"password": "abc", "token": "flink", "secret": "1234", "x.pwd": "postgres"})
    assert secrets == NONE
    short = Secrets.of({"password": "a1b2"})
    assert short.mask("a1b2 xa1b2 a1b2.") == "*** xa1b2 ***."
    word = Secrets.of({"password": "correcthorse"})
    assert word.mask("correcthorse correcthorses") == "*** correcthorses"
    assert Secrets.of({"password": SECRET}).mask(f"x{SECRET}y") == "x***y"


def test_mappings_are_masked_by_name_however_deep() -> None:
    params = {
        "variable": {"password": "hunter2!x", "n": "1", "note": "password=abc123 and hunter2!x"},
        "configuration": {"startup": {"x.secret": 12345, "on.token": True, "empty.secret": ""}},
        "credentials": {"who": "me", "all": ["a1", "b2"]},
        "list": [{"api_key": "k"}],
    }
    assert Secrets.of(params).mask_all(params) == {
        "variable": {"password": MASK, "n": "1", "note": "password=*** and ***"},
        "configuration": {"startup": {"x.secret": MASK, "on.token": True, "empty.secret": ""}},
        "credentials": {"who": MASK, "all": [MASK, MASK]},
        "list": [{"api_key": MASK}],
    }
    assert SECRET not in repr(Secrets.of({"password": SECRET}))


def test_names_of_secrets() -> None:
    for name in (
        "password",
        "db.PASSWORD",
        "userPassword",
        "x_pwd",
        "s3.access-key",
        "sasl.jaas.config",
        "credentials",
    ):
        assert is_secret_name(name)
    for name in ("password.file", "max_tokens", "key", "primary_key", "token_count", "format", ""):
        assert not is_secret_name(name)


def test_code_that_was_masked_is_known() -> None:
    assert holds_mask("WITH ('password' = '***')") and holds_mask("PASSWORD=***")
    assert not holds_mask("SELECT '***'") and not holds_mask("WITH ('password' = 'x***')")


@pytest.mark.parametrize(
    "unit",
    ["SELECT a, b FROM orders;\n", "password=", "password='", 'password="', "password ", "\nSET a.password = ", "://a:",
     "://a:b@", "Bearer ", "'password'='x',", "password=\\", "-----BEGIN PRIVATE KEY-----", "--a-", "token 'x ", "''",
     "account.key.", "account_key", "account.key=", "password:", "password: ", "password:=", "token=a.",
     "token=a.token,", "password/*", "password /* ", "password /**", "password/*x*/", "password--", "password --\n",
     "password--x\n--y\n",
     "password//", "'password'='a'\n", "password 'a'\n", "'password'=U&'", "password=_", "password=_a'", "password=$'",
     "password='a' /*", "password='a'--", "tokens", "tokens=", "dbPass", "num_pass", "'pw", "/*", "*/", "--\n"],
)  # fmt: skip
def test_time_grows_with_the_text_alone(unit: str) -> None:
    def seconds(size: int) -> float:
        text = unit * (size // len(unit))
        began = time.process_time()
        Secrets.of(text).mask(text)
        return time.process_time() - began

    seconds(10_000)
    base = max(min(seconds(10_000) for _ in range(3)), 0.002)
    for times in (2, 4, 8, 16):  # step by step, so that what grows faster fails soon
        assert any(seconds(10_000 * times) < times * 4 * base for _ in range(3))


def test_small_code_costs_next_to_nothing() -> None:
    code = HIDDEN[0].format(SECRET) * 5
    began = time.process_time()
    for _ in range(100):
        Secrets.of(code).mask(code)
    assert (time.process_time() - began) / 100 < 0.001


def test_the_log_of_a_process_has_no_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before, level, ours = root.handlers[:], root.level, logging.getLogger("headgate").level
    try:
        root.handlers.clear()
        logs.set_up("DEBUG")
        logs.keep_secret(Secrets.of({"password": SECRET}))
        logging.getLogger("headgate").debug("it says %s and password=other1", SECRET)
        logging.getLogger("aiosqlite").debug("executing")
        try:
            raise ValueError(SECRET)
        except ValueError:
            logging.getLogger("headgate").exception("failed")
    finally:
        root.handlers[:], root.level = before, level
        logging.getLogger("headgate").setLevel(ours)
        logs.keep_secret(NONE)
    err = capsys.readouterr().err
    assert "it says *** and password=***" in err and "ValueError: ***" in err
    assert SECRET not in err and "executing" not in err


def test_a_storage_root_is_shown_without_its_credentials() -> None:
    assert without_credentials("s3://key:secret@bucket/a@b?region=x") == "s3://bucket/a@b?region=x"
    assert without_credentials("file:///a@b/c") == "file:///a@b/c"


ORDINARY = (
    "connector", "format", "key.format", "key.fields", "key.fields-prefix", "value.format", "topic", "sink.partitioner",
    "scan.startup.mode", "properties.bootstrap.servers", "properties.group.id", "properties.security.protocol",
    "properties.sasl.mechanism", "properties.ssl.truststore.location", "properties.ssl.keystore.location", "url",
    "username", "table-name", "scan.partition.column", "lookup.cache", "path", "auto-compaction", "primary-keys",
    "primary_keys", "partition_keys", "num_pass", "numPass", "single-pass", "firstPass", "bypass", "compass",
    "tokens-per-second", "max_tokens", "max-tokens", "maxTokens", "max.tokens", "num_tokens", "prompt_tokens",
    "n_tokens", "kubernetes.secrets", "security.kerberos.login.keytab", "security.delegation.tokens.enabled",
    "token.count", "s3.endpoint", "s3.path.style.access", "state.backend", "parallelism.default", "row.delimiter",
    "schema_save_mode", "hash.fields.key", "license_key_file", "partition-by", "sort.keys", "shard_key", "sessions",
    "pass_through", "mapPw2d",
)  # fmt: skip


def test_ordinary_options_are_no_secrets() -> None:
    for name in ORDINARY:
        assert not is_secret_name(name), name
        assert masked(f"'{name}' = 'Xy7-shown'") == f"'{name}' = 'Xy7-shown'", name


def test_every_name_of_a_secret_is_looked_for() -> None:
    names = ("password", "passwd", "passphrase", "pwd", "secret", "token", "credential", "cookie", "authorization",
             "api.key", "access-key-id", "private_key", "account.key", "encryption.key", "signing.key", "master.key",
             "shared.key", "storage-key", "keystore.key", "jaas.config", "user.info", "session.id", "ticket_id_v1",
             "token-code", "passwort", "password1", "db_password_prod", "secret.value", "passwordHash",
             "mysql_pass", "pass", "pw", "api-key-2", "dbPass", "kafkaPw", "passwords", "tokens",
             "auth.tokens", "apiTokens", "api_tokens", "accessTokens", "secrets", "sasKey", "sas_key", "api_token_v2",
             "tokenV2")  # fmt: skip
    for name in names:
        assert masked(f"'{name}' = 'Xy7-hidden'") == f"'{name}' = '***'", name
        assert is_secret_name(name), name
    for text in ("tests pass: 12", "bypass=7", "compass = north", "one pass = 3", "no pw: 3"):
        assert masked(text) == text
