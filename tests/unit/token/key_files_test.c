/* Goal: lines and files become keys under the right names, found where they are. How whole sets
 * behave and what is refused with which words: key_sources_test.c. */
#include <criterion/criterion.h>
#include <sys/stat.h>
#include <unistd.h>

#include "key_craft.h"
#include "token/key.h"
#include "token/key_files.h"

enum { PATH_SIZE = 256 };

static char folder[] = "/tmp/relay-key-files-test-XXXXXX";
static struct token_keys *keys;
static char error[TOKEN_KEYS_ERROR_SIZE];

static void start(void)
{
    cr_assert_not_null(mkdtemp(folder));
    keys = token_keys_new();
    cr_assert_not_null(keys);
}

static void stop(void)
{
    char command[PATH_SIZE];

    token_keys_unref(keys);
    snprintf(command, sizeof command, "rm -r %s", folder);
    cr_assert_eq(system(command), 0);
}

TestSuite(key_files, .init = start, .fini = stop);

static void expect_key(unsigned index, const char *id, const char *origin)
{
    const struct key *key = token_keys_at(keys, index);

    cr_assert_not_null(key, "%u", index);
    cr_expect_str_eq(key->id, id);
    cr_expect_str_eq(key->origin, origin);
}

static void pem_write(const char *name, char *path)
{
    char pem[CRAFT_PEM_SIZE];
    EVP_PKEY *pair = craft_pair("ED25519", "");

    craft_public_pem(pair, pem);
    EVP_PKEY_free(pair);
    snprintf(path, PATH_SIZE, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");

    cr_assert_not_null(file);
    cr_assert_geq(fputs(pem, file), 0);
    cr_assert_eq(fclose(file), 0);
}

Test(key_files, lines_become_secrets_with_and_without_names)
{
    const char *text = "# old and new\n\n\told one\r\nbare#3\n  # none\na\tb";

    cr_assert(key_files_add_secrets(keys, bytes_of_text(text), "f", error), "%s", error);
    cr_assert_eq(token_keys_count(keys), 3);
    expect_key(0, "old", "f:3");
    cr_expect_str_eq(token_keys_at(keys, 0)->material, "one");
    expect_key(1, "", "f:4");
    cr_expect_str_eq(token_keys_at(keys, 1)->material, "bare#3");
    expect_key(2, "a", "f:6");
    cr_expect_str_eq(token_keys_at(keys, 2)->material, "b");
}

Test(key_files, an_empty_text_adds_nothing)
{
    cr_expect(key_files_add_secrets(keys, bytes_of_text(""), "f", error));
    cr_expect(key_files_add_secrets(keys, bytes_of_text("\n\n"), "f", error));
    cr_expect_eq(token_keys_count(keys), 0);
}

Test(key_files, a_bad_line_is_named)
{
    cr_expect(!key_files_add_secrets(keys, bytes_of_text("good\na b c"), "f", error));
    cr_expect_str_eq(error, "f:2: more than a kid and a secret, neither may hold blanks");
}

/* In the order of the bytes of their names, whatever the locale and the folder say. */
Test(key_files, a_folder_gives_its_pem_files_by_name)
{
    char paths[5][PATH_SIZE];

    pem_write("b.pem", paths[0]);
    pem_write("a.pem", paths[1]);
    pem_write("C.pem", paths[2]);
    pem_write("README", paths[3]);
    pem_write(".hidden.pem", paths[4]);
    cr_assert(key_files_add_public(keys, folder, error), "%s", error);
    cr_assert_eq(token_keys_count(keys), 3);
    expect_key(0, "C", paths[2]);
    expect_key(1, "a", paths[1]);
    expect_key(2, "b", paths[0]);
    cr_expect(!token_keys_at(keys, 0)->can_sign);
}

Test(key_files, a_list_gives_files_whatever_their_names)
{
    char paths[2][PATH_SIZE], list[3 * PATH_SIZE];

    pem_write("one", paths[0]);
    pem_write("two.pem", paths[1]);
    snprintf(list, sizeof list, ", %s ,,%s", paths[0], paths[1]);
    cr_assert(key_files_add_public(keys, list, error), "%s", error);
    cr_assert_eq(token_keys_count(keys), 2);
    expect_key(0, "one", paths[0]);
    expect_key(1, "two", paths[1]);
}

Test(key_files, a_missing_file_is_named)
{
    cr_expect(!key_files_add_public(keys, "/nonexistent/a.pem", error));
    cr_expect_str_eq(error, "/nonexistent/a.pem: No such file or directory");
}

Test(key_files, a_path_that_fits_nowhere_is_refused)
{
    static char path[8192];

    memset(path, 'x', sizeof path - 1);
    cr_expect(!key_files_add_public(keys, path, error));
    cr_expect_str_eq(error, "public keys: File name too long");
}
