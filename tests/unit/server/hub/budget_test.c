/* Goal: however topics take and return memory, each one's sum is exact, the floor is granted while
 * there is memory, the one that holds most is refused first, and some is left for the next.
 * Method: topics at random against a model that keeps each block; greedy ones in turns. */
#include "server/hub/budget.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>

enum {
    TOPICS = 12,
    BLOCKS = 200,
    STEPS = 20000,
    RUNS = 20,
    BLOCK_MAX = 300000,
    FLOOR_BLOCK = 1000
};

/* What the pool and its topics hold, block by block. */
struct model {
    size_t memory;
    struct budget budgets[TOPICS];
    size_t blocks[TOPICS][BLOCKS];
};

static size_t model_sum(const struct model *model, unsigned topic)
{
    size_t sum = 0;

    for (unsigned i = 0; i < BLOCKS; i++) {
        sum += model->blocks[topic][i];
    }
    return sum;
}

static size_t model_left(const struct model *model)
{
    size_t left = model->memory;

    for (unsigned i = 0; i < TOPICS; i++) {
        left -= model_sum(model, i);
    }
    return left;
}

/* What the header promises, in other words. */
static bool model_may_take(const struct model *model, unsigned topic, size_t bytes)
{
    size_t left = model_left(model);
    size_t held = model_sum(model, topic);

    if (bytes > left || held + bytes <= BUDGET_FLOOR_BYTES) {
        return true;
    }
    return (held + bytes + 1) / 2 <= left - bytes;
}

/* No topic is refused what one that holds as much or more gets. */
static void check_largest_loses_first(const struct model *model, size_t bytes)
{
    size_t left = model_left(model);

    for (unsigned a = 0; a < TOPICS; a++) {
        for (unsigned b = 0; b < TOPICS; b++) {
            if (model_sum(model, a) <= model_sum(model, b) &&
                budget_may_take(&model->budgets[b], bytes, left)) {
                cr_assert(budget_may_take(&model->budgets[a], bytes, left));
            }
        }
    }
}

static void step(struct model *model, unsigned *seed)
{
    unsigned topic = (unsigned)rand_r(seed) % TOPICS;
    size_t *block = &model->blocks[topic][(unsigned)rand_r(seed) % BLOCKS];
    size_t bytes = 1 + (unsigned)rand_r(seed) % BLOCK_MAX;

    if (*block > 0) {
        budget_credit(&model->budgets[topic], *block);
        *block = 0;
    } else {
        bool may_take = budget_may_take(&model->budgets[topic], bytes, model_left(model));

        cr_assert_eq(may_take, model_may_take(model, topic, bytes));
        if (may_take && bytes <= model_left(model)) {
            budget_charge(&model->budgets[topic], bytes);
            *block = bytes;
        }
    }
    cr_assert_eq(model->budgets[topic].bytes, model_sum(model, topic));
}

Test(budget, agrees_with_a_model_at_random)
{
    static struct model model;

    for (unsigned run = 0; run < RUNS; run++) {
        unsigned seed = run;

        model = (struct model){.memory = (size_t)1 << (16 + run % 8)};
        for (unsigned i = 0; i < STEPS / RUNS; i++) {
            step(&model, &seed);
            if (i % 50 == 0) {
                check_largest_loses_first(&model, 1 + (unsigned)rand_r(&seed) % BLOCK_MAX);
            }
        }
        for (unsigned topic = 0; topic < TOPICS; topic++) {
            for (unsigned i = 0; i < BLOCKS; i++) {
                if (model.blocks[topic][i] > 0) {
                    budget_credit(&model.budgets[topic], model.blocks[topic][i]);
                }
            }
            cr_assert_eq(model.budgets[topic].bytes, 0);
        }
    }
}

Test(budget, topics_that_take_all_they_get_leave_some_to_the_next)
{
    enum { MEMORY = 100 << 20, BLOCK = 4096 };

    for (unsigned count = 1; count <= TOPICS; count++) {
        struct budget budgets[TOPICS] = {{0}};
        size_t left = MEMORY;
        bool took = true;

        while (took) {
            took = false;
            for (unsigned i = 0; i < count; i++) {
                if (left >= BLOCK && budget_may_take(&budgets[i], BLOCK, left)) {
                    budget_charge(&budgets[i], BLOCK);
                    left -= BLOCK;
                    took = true;
                }
            }
        }
        cr_assert_geq(left, MEMORY / (BUDGET_SHARE * count + 1) - BLOCK * count);
        cr_assert_leq(left, MEMORY / (BUDGET_SHARE * count + 1) + BLOCK * count);
        struct budget next = {0};

        cr_assert(budget_may_take(&next, left / 2, left));
    }
}

Test(budget, floor_is_granted_while_there_is_memory)
{
    struct budget budget = {0};
    size_t left = BUDGET_FLOOR_BYTES;

    while (left >= FLOOR_BLOCK) {
        cr_assert(budget_may_take(&budget, FLOOR_BLOCK, left));
        budget_charge(&budget, FLOOR_BLOCK);
        left -= FLOOR_BLOCK;
    }
    cr_assert(budget_may_take(&budget, left, left));
    budget_charge(&budget, left);
    cr_assert(!budget_may_take(&budget, 1, BUDGET_FLOOR_BYTES / 2), "beyond it, the share counts");
    cr_assert(budget_may_take(&budget, 1, BUDGET_FLOOR_BYTES / 2 + 2));
}

Test(budget, credits_no_more_than_was_charged, .signal = SIGABRT)
{
    struct budget budget = {0};

    budget_charge(&budget, 10);
    budget_credit(&budget, 11);
}
