using System.Numerics.Tensors;
using System.Runtime.Intrinsics;
using OT.Numerics;

namespace OT.Applications.Routing;

/// <summary>Similarities of one group, sixteen tokens to a tile, expert by expert inside it: kernels work on sixteen tokens at once.</summary>
internal sealed class TokenTiles : IBlockWork
{
    /// <summary>Tokens of a tile.</summary>
    public const int Lanes = 16;

    /// <summary>Tiles of a block of work.</summary>
    public const int PerBlock = 32;

    const int QuantileTokens = 512;

    AlignedBuffer<float> _values = new(0, 0);
    float[] _largest = [];
    float[] _logSums = []; // of exp(logit − largest): added to large logits they would be lost
    float[] _logits = [];
    bool _softmax;

    public int Tokens { get; private set; }

    /// <summary>Experts, that for dropped tokens included.</summary>
    public int Experts { get; private set; }

    public int Tiles => (Tokens + Lanes - 1) / Lanes;

    public int Blocks => (Tiles + PerBlock - 1) / PerBlock;

    int Given { get; set; }

    /// <summary>Room for a group.</summary>
    /// <param name="tokens">Tokens.</param>
    /// <param name="given">Experts that have logits.</param>
    /// <param name="experts">The same or, with one for dropped tokens (similarity 0), one more.</param>
    public void Reserve(int tokens, int given, int experts)
    {
        (Tokens, Given, Experts) = (tokens, given, experts);
        int length = Guard.ArrayLength((long)Tiles * Lanes, experts, "A group of logits");
        if (_values.Length < length)
            _values = new AlignedBuffer<float>(length, 0);
        if (_largest.Length < Tiles * Lanes)
            (_largest, _logSums) = (new float[Tiles * Lanes], new float[Tiles * Lanes]);
        if (_logits.Length < tokens * given)
            _logits = new float[tokens * given];
    }

    /// <summary>Takes finite logits in, tokens × experts.</summary>
    public void Load(ReadOnlySpan<float> logits, bool softmax, RowBlocks blocks)
    {
        logits.CopyTo(_logits);
        _softmax = softmax;
        blocks.Run(Blocks, this);
    }

    /// <summary>The similarities of a tile, <c>experts × 16</c>.</summary>
    public Span<float> Tile(int tile) => _values.Span.Slice(tile * Lanes * Experts, Lanes * Experts);

    /// <summary>Similarity of a token and an expert.</summary>
    public float At(int token, int expert) => _values.Span[(((token / Lanes * Experts) + expert) * Lanes) + (token % Lanes)];

    /// <summary>The similarity to an expert that so large a share of the tokens exceeds, from a sample of them.</summary>
    public float Quantile(int expert, double share)
    {
        int step = (Tokens + QuantileTokens - 1) / QuantileTokens,
            count = (Tokens + step - 1) / step;
        Span<float> sample = stackalloc float[QuantileTokens];
        for (int k = 0; k < count; k++)
            sample[k] = At(k * step, expert);
        sample = sample[..count];
        sample.Sort();
        return sample[Math.Clamp(count - (int)Math.Round(share * count), 0, count - 1)];
    }

    /// <summary>Softmax of the token's logits at an expert.</summary>
    public float Gate(int token, int expert) =>
        _softmax ? At(token, expert) : MathF.Exp(At(token, expert) - _largest[token] - _logSums[token]);

    public void Run(int block, int worker)
    {
        int end = Math.Min(Tiles, (block + 1) * PerBlock);
        for (int tile = block * PerBlock; tile < end; tile++)
        {
            Span<float> values = Tile(tile);
            int first = tile * Lanes,
                count = Math.Min(Lanes, Tokens - first);
            if (count < Lanes)
                values.Clear();
            Span<float> given = values[..(Given * Lanes)];
            Turn(_logits.AsSpan(first * Given, count * Given), given);
            Normalise(given, first);
            values[(Given * Lanes)..].Clear();
        }
    }

    void Turn(ReadOnlySpan<float> rows, Span<float> columns)
    {
        for (int lane = 0; lane * Given < rows.Length; lane++)
        {
            ReadOnlySpan<float> row = rows.Slice(lane * Given, Given);
            for (int j = 0, to = lane; j < row.Length; j++, to += Lanes)
                columns[to] = row[j];
        }
    }

    /// <summary>Softmax in place, or what it is made from alone: the largest logit and the logarithm of the sum.</summary>
    void Normalise(Span<float> values, int first)
    {
        Vector512<float> largest = Vector512.Create(float.NegativeInfinity),
            sum = Vector512<float>.Zero;
        for (int k = 0; k < values.Length; k += Lanes)
            largest = Vector512.Max(largest, Vector512.Create<float>(values.Slice(k, Lanes)));
        if (!_softmax)
        {
            for (int k = 0; k < values.Length; k += Lanes)
                sum += Vector512.Exp(Vector512.Create<float>(values.Slice(k, Lanes)) - largest);
            largest.CopyTo(_largest.AsSpan(first));
            Vector512.Log(sum).CopyTo(_logSums.AsSpan(first));
            return;
        }
        for (int k = 0; k < values.Length; k += Lanes)
            (Vector512.Create<float>(values.Slice(k, Lanes)) - largest).CopyTo(values.Slice(k, Lanes));
        TensorPrimitives.Exp(values, values);
        for (int k = 0; k < values.Length; k += Lanes)
            sum += Vector512.Create<float>(values.Slice(k, Lanes));
        Vector512<float> scale = Vector512<float>.One / sum;
        for (int k = 0; k < values.Length; k += Lanes)
            (Vector512.Create<float>(values.Slice(k, Lanes)) * scale).CopyTo(values.Slice(k, Lanes));
    }
}
