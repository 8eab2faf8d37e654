# terminal 1 (simulating Johannesburg)
NODE_ID=node-0 PEERS=node-1,node-2,node-3,node-4 DATA_DIR=./data/0 \
  GRPC_ADDR=127.0.0.1:9000 DEBUG_ADDR=127.0.0.1:8080 \
  TICK_MS=100 ELECTION=10 HEARTBEAT=3 ./phalanx-server

# terminal 2 (simulating London)
NODE_ID=node-1 PEERS=node-0,node-2,node-3,node-4 DATA_DIR=./data/1 \
  GRPC_ADDR=127.0.0.1:9001 DEBUG_ADDR=127.0.0.1:8081 \
  TICK_MS=100 ELECTION=10 HEARTBEAT=3 ./phalanx-server

# terminal 3 (simulating Chicago)
NODE_ID=node-2 PEERS=node-0,node-1,node-3,node-4 DATA_DIR=./data/2 \
  GRPC_ADDR=127.0.0.1:9002 DEBUG_ADDR=127.0.0.1:8082 \
  TICK_MS=100 ELECTION=10 HEARTBEAT=3 ./phalanx-server

# terminal 4 (simulating Singapore)
NODE_ID=node-3 PEERS=node-0,node-1,node-2,node-4 DATA_DIR=./data/3 \
  GRPC_ADDR=127.0.0.1:9003 DEBUG_ADDR=127.0.0.1:8083 \
  TICK_MS=100 ELECTION=10 HEARTBEAT=3 ./phalanx-server

# terminal 5 (simulating Frankfurt)
NODE_ID=node-4 PEERS=node-0,node-1,node-2,node-3 DATA_DIR=./data/4 \
  GRPC_ADDR=127.0.0.1:9004 DEBUG_ADDR=127.0.0.1:8084 \
  TICK_MS=100 ELECTION=10 HEARTBEAT=3 ./phalanx-server
