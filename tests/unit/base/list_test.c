/* Goal: the list keeps its order and both its directions through every operation.
 * Method: small lists, walked forwards and backwards after each step. */
#include <criterion/criterion.h>

#include "base/list.h"

struct item {
    int number;
    struct list node;
};

static void expect_items(struct list *head, const int *numbers, size_t count)
{
    struct list *node = head;

    for (size_t i = 0; i < count; i++) {
        cr_assert_eq(node->next->prev, node);
        node = node->next;
        cr_assert_eq(container_of(node, struct item, node)->number, numbers[i], "item %zu", i);
    }
    cr_assert_eq(node->next, head, "there are more than %zu", count);
    cr_assert_eq(head->prev, node);
    cr_assert_eq(list_empty(head), count == 0);
}

static void append_items(struct list *head, struct item *items, size_t count)
{
    list_init(head);
    for (size_t i = 0; i < count; i++) {
        items[i].number = (int)i;
        list_append(head, &items[i].node);
    }
}

Test(list, keeps_the_order_of_appending)
{
    struct list head;
    struct item items[3];

    append_items(&head, items, 0);
    expect_items(&head, NULL, 0);
    append_items(&head, items, 3);
    expect_items(&head, (const int[]){0, 1, 2}, 3);
}

Test(list, removes_anywhere_and_twice_without_harm)
{
    struct list head;
    struct item items[4];

    append_items(&head, items, 4);
    list_remove(&items[1].node);
    expect_items(&head, (const int[]){0, 2, 3}, 3);
    list_remove(&items[1].node);
    expect_items(&head, (const int[]){0, 2, 3}, 3);
    list_remove(&items[0].node);
    list_remove(&items[3].node);
    expect_items(&head, (const int[]){2}, 1);
    list_remove(&items[2].node);
    expect_items(&head, NULL, 0);
    list_append(&head, &items[1].node);
    expect_items(&head, (const int[]){1}, 1);
}

Test(list, moves_all_to_another_head)
{
    struct list source, target;
    struct item items[3];

    append_items(&source, items, 3);
    list_take_all(&target, &source);
    expect_items(&source, NULL, 0);
    expect_items(&target, (const int[]){0, 1, 2}, 3);
    list_take_all(&target, &source);
    expect_items(&target, NULL, 0);
    append_items(&source, items, 1);
    list_take_all(&target, &source);
    expect_items(&target, (const int[]){0}, 1);
}

Test(list, allows_removing_the_node_a_loop_is_at)
{
    struct list head;
    struct item items[5];
    int visited = 0;

    append_items(&head, items, 5);
    list_for_each(node, &head)
    {
        cr_assert_eq(container_of(node, struct item, node)->number, visited++);
        if (visited % 2 == 1) {
            list_remove(node);
        }
    }
    cr_assert_eq(visited, 5);
    expect_items(&head, (const int[]){1, 3}, 2);
}

Test(list, its_first_node_is_taken)
{
    struct list head, first, second;

    list_init(&head);
    list_append(&head, &first);
    list_append(&head, &second);
    cr_assert_eq(list_take_first(&head), &first);
    cr_assert(list_empty(&first));
    cr_assert_eq(list_take_first(&head), &second);
    cr_assert(list_empty(&head));
}
