-- The end of the script: what was lost is noticed first, and a batch that brings nothing ends here.

look_for_loss()
stamp()
local verdicts = order_count > 0 and status ~= 'lost' and carry_out() or {}
return cmsgpack.pack({ status, seq, at, now, drained, last, loss, tonumber(sums), verdicts })
