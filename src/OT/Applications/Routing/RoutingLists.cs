using OT.Numerics;

namespace OT.Applications.Routing;

/// <summary>From what tokens ask for to lists within the capacities: first one expert for each token, then further ones where there is room.</summary>
internal sealed class RoutingLists(TokenTiles tiles, TokenPass pass, TokenChoices choices, RowBlocks blocks) : IBlockWork
{
    const int TokensPerBlock = TokenTiles.Lanes * TokenTiles.PerBlock;
    const int MostRounds = 100;

    int[] _capacities = [];
    int[] _loads = [];
    int[] _starts = [];
    ulong[] _keys = [];
    float[] _weights = [];
    double[] _sums = [];
    bool _isMeasuring;
    CombineWeights _kind;

    int M => tiles.Experts;

    int Stride => M + 2;

    /// <summary>Masses of the experts on the lists; that of dropped tokens last.</summary>
    public ReadOnlySpan<double> Masses => _sums.AsSpan(0, M);

    /// <summary><c>⟨C, P⟩ + γ/2 ‖P‖²</c> of the masses on the lists.</summary>
    public double Value => _sums[M];

    /// <summary>Sum of the similarities on the lists.</summary>
    public double Similarity => _sums[M + 1];

    /// <summary>Room for what the tiles hold.</summary>
    public void Reserve()
    {
        int slots = tiles.Tokens * choices.Width,
            sums = tiles.Blocks * Stride;
        if (_loads.Length < M)
            (_capacities, _loads, _starts) = (new int[M], new int[M], new int[M + 1]);
        if (_keys.Length < slots)
            (_keys, _weights) = (new ulong[slots], new float[slots]);
        if (_sums.Length < sums)
            _sums = new double[sums];
    }

    /// <summary>Makes the lists, as experts of tokens.</summary>
    /// <param name="capacities">Of all experts, that for dropped tokens last; the sum is at least the number of tokens.</param>
    /// <param name="kind">Which weights.</param>
    public void Make(ReadOnlySpan<int> capacities, CombineWeights kind)
    {
        _kind = kind;
        capacities.CopyTo(_capacities);
        _loads.AsSpan(0, M).Clear();
        Trim(0, 1);
        Place();
        Trim(1, choices.Width);
        _isMeasuring = true;
        blocks.Run(tiles.Blocks, this);
        for (int block = 1; block < tiles.Blocks; block++)
        {
            for (int k = 0; k < Stride; k++)
                _sums[k] += _sums[(block * Stride) + k];
        }
    }

    /// <summary>Writes the lists.</summary>
    /// <param name="result">To where.</param>
    /// <param name="group">Of which group.</param>
    /// <param name="experts">Experts with lists: all but that for dropped tokens.</param>
    public void Write(RoutingResult result, int group, int experts)
    {
        for (int token = 0; token < tiles.Tokens; token++)
        {
            Span<int> kept = choices.Experts(token);
            int count = kept[0] == experts ? 0 : Count(kept);
            result.AddToken(group, token, kept[..count], _weights.AsSpan(token * choices.Width, count));
        }
    }

    static int Count(ReadOnlySpan<int> experts)
    {
        int count = experts.IndexOf(-1);
        return count < 0 ? experts.Length : count;
    }

    /// <summary>Of the choices in some places each expert keeps the best, as many as it has room for; of equals those of lower tokens.</summary>
    void Trim(int from, int to)
    {
        Span<int> starts = _starts.AsSpan(0, M + 1);
        starts.Clear();
        for (int token = 0; token < tiles.Tokens; token++)
        {
            foreach (int expert in choices.Experts(token)[from..to])
            {
                if (expert >= 0)
                    starts[expert]++;
            }
        }
        for (int j = 0, sum = 0; j <= M; j++)
            (starts[j], sum) = (sum, sum + starts[j]);
        for (int token = 0; token < tiles.Tokens; token++)
        {
            Span<int> experts = choices.Experts(token)[from..to];
            for (int k = 0; k < experts.Length; k++)
            {
                if (experts[k] < 0)
                    continue;
                float worth = from == 0 ? choices.Regret(token) : choices.Worth(token, from + k);
                _keys[starts[experts[k]]++] = ((ulong)~Ordered(worth) << 32) | (uint)((token * choices.Width) + from + k);
            }
        }
        // Starts have become ends.
        starts[..M].CopyTo(starts[1..]);
        starts[0] = 0;
        _isMeasuring = false;
        blocks.Run(M, this);
        for (int j = 0; j < M; j++)
            _loads[j] += Math.Min(starts[j + 1] - starts[j], _capacities[j] - _loads[j]);
    }

    /// <summary>Bits that order as the floats do.</summary>
    static uint Ordered(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value + 0f);
        return (bits & 0x8000_0000) == 0 ? bits | 0x8000_0000 : ~bits;
    }

    public void Run(int block, int worker)
    {
        if (_isMeasuring)
            Measure(block);
        else
            Keep(block);
    }

    void Keep(int expert)
    {
        Span<ulong> keys = _keys.AsSpan(_starts[expert].._starts[expert + 1]);
        int room = _capacities[expert] - _loads[expert];
        if (keys.Length <= room)
            return;
        Select(keys, room);
        foreach (ulong key in keys[room..])
        {
            int slot = (int)(uint)key;
            choices.Experts(slot / choices.Width)[slot % choices.Width] = -1;
        }
    }

    /// <summary>Brings the least keys, of which no two are equal, to the front (Hoare's selection).</summary>
    static void Select(Span<ulong> keys, int count)
    {
        (int low, int high) = (0, keys.Length - 1);
        while (low < high)
        {
            ulong pivot = Median(keys[low], keys[low + ((high - low) / 2)], keys[high]);
            (int i, int j) = (low, high);
            while (i <= j)
            {
                while (keys[i] < pivot)
                    i++;
                while (keys[j] > pivot)
                    j--;
                if (i <= j)
                    (keys[i], keys[j], i, j) = (keys[j], keys[i], i + 1, j - 1);
            }
            if (count <= j)
                high = j;
            else if (count >= i)
                low = i;
            else
                return;
        }
    }

    static ulong Median(ulong a, ulong b, ulong c) => Math.Max(Math.Min(a, b), Math.Min(Math.Max(a, b), c));

    /// <summary>Tokens that lost their first choice go where there is room, the best for them.</summary>
    void Place()
    {
        for (int token = 0; token < tiles.Tokens; token++)
        {
            Span<int> experts = choices.Experts(token);
            if (experts[0] >= 0)
                continue;
            int best = -1;
            float most = float.NegativeInfinity;
            for (int j = 0; j < M; j++)
            {
                if (_loads[j] < _capacities[j] && (best < 0 || tiles.At(token, j) + pass.Score(j) > most))
                    (best, most) = (j, tiles.At(token, j) + pass.Score(j));
            }
            experts[0] = best;
            _loads[best]++;
            int again = experts[1..].IndexOf(best);
            if (again >= 0)
                experts[again + 1] = -1;
        }
    }

    /// <summary>Puts a block's lists in order and finds masses, weights and sums.</summary>
    void Measure(int block)
    {
        Span<double> sums = _sums.AsSpan(block * Stride, Stride);
        sums.Clear();
        int end = Math.Min(tiles.Tokens, (block + 1) * TokensPerBlock);
        for (int token = block * TokensPerBlock; token < end; token++)
        {
            Span<int> experts = choices.Experts(token);
            int count = Pack(experts);
            Weigh(token, experts[..count], _weights.AsSpan(token * choices.Width, count), sums);
        }
    }

    /// <summary>Experts in increasing order, then −1.</summary>
    static int Pack(Span<int> experts)
    {
        int count = 0;
        for (int k = 0; k < experts.Length; k++)
        {
            int expert = experts[k],
                to = count;
            if (expert < 0)
                continue;
            for (; to > 0 && experts[to - 1] > expert; to--)
                experts[to] = experts[to - 1];
            experts[to] = expert;
            count++;
        }
        experts[count..].Fill(-1);
        return count;
    }

    void Weigh(int token, ReadOnlySpan<int> experts, Span<float> weights, Span<double> sums)
    {
        ReadOnlySpan<float> similarities = tiles.Tile(token / TokenTiles.Lanes)[(token % TokenTiles.Lanes)..];
        // Less the largest, for γ may be far below the values' rounding.
        double largest = double.NegativeInfinity;
        foreach (int j in experts)
            largest = Math.Max(largest, similarities[j * TokenTiles.Lanes] + pass.Price(j));
        // Σ [f + S + g] = γ over the list: the positive ones shrink to those that stay positive.
        double f = double.PositiveInfinity;
        for (int positive = -1, round = 0; round < MostRounds; round++)
        {
            (double sum, int count) = (0, 0);
            foreach (int j in experts)
            {
                double v = similarities[j * TokenTiles.Lanes] + pass.Price(j) - largest;
                if (f + v > 0)
                    (sum, count) = (sum + v, count + 1);
            }
            if (count == positive)
                break;
            (positive, f) = (count, (pass.Gamma - sum) / count);
        }
        for (int k = 0; k < experts.Length; k++)
        {
            int j = experts[k];
            double similarity = similarities[j * TokenTiles.Lanes],
                mass = Math.Max(0, f + (similarity + pass.Price(j) - largest)) / pass.Gamma;
            sums[j] += mass;
            sums[M] += (0.5 * pass.Gamma * mass * mass) - (similarity * mass);
            sums[M + 1] += similarity;
            weights[k] = _kind == CombineWeights.Gates ? tiles.Gate(token, j) : (float)mass;
        }
    }
}
