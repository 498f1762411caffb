-- Orders of a small shop: made up, grouped, written to a file table, and read back.
SET 'execution.runtime-mode' = 'batch';

CREATE TABLE orders (
  order_id BIGINT,
  customer INT,
  amount   DECIMAL(10, 2),
  express  BOOLEAN
) WITH (
  'connector' = 'datagen',
  'number-of-rows' = '2000',
  'fields.order_id.kind' = 'sequence', 'fields.order_id.start' = '1', 'fields.order_id.end' = '2000',
  'fields.customer.min' = '1', 'fields.customer.max' = '4',
  'fields.amount.min' = '1', 'fields.amount.max' = '500'
);

CREATE VIEW big_orders AS SELECT * FROM orders WHERE amount > 100;

SELECT customer,
       COUNT(*)                                     AS orders,
       CAST(SUM(amount) AS DECIMAL(12, 2))          AS total,
       AVG(CAST(amount AS DOUBLE)) > 250            AS generous,
       TIMESTAMP '2026-01-01 09:30:00'              AS since,
       ARRAY[MIN(order_id), MAX(order_id)]          AS first_and_last
FROM big_orders
GROUP BY customer;

CREATE TABLE kept (customer INT, orders BIGINT) WITH (
  'connector' = 'filesystem', 'path' = '${workspace}/kept-${run_date}', 'format' = 'csv'
);

INSERT INTO kept SELECT customer, COUNT(*) FROM big_orders GROUP BY customer;

SELECT * FROM kept ORDER BY customer;
