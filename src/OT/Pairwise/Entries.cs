using OT.Numerics;
using OT.Results;

namespace OT.Pairwise;

/// <summary>What is known of the entries of a matrix, by number of the pair.</summary>
sealed class Entries
{
    const byte None = byte.MaxValue;

    readonly double[] _values;
    readonly double[] _errors;
    readonly byte[] _statuses;

    public Entries(PairList pairs)
    {
        Pairs = pairs;
        (_values, _errors, _statuses) = (new double[pairs.Count], new double[pairs.Count], new byte[pairs.Count]);
        _statuses.AsSpan().Fill(None);
    }

    public PairList Pairs { get; }

    /// <summary>An entry, or null where none is known. A diagonal of zeros is known.</summary>
    public PairwiseEntry? this[int row, int column]
    {
        get
        {
            Guard.Index(row, Pairs.Rows);
            Guard.Index(column, Pairs.Columns);
            int pair = Pairs.IndexOf(row, column);
            if (pair < 0)
                return new(row, column, 0, SolverStatus.Converged, 0);
            return _statuses[pair] == None ? null : new(row, column, _values[pair], (SolverStatus)_statuses[pair], _errors[pair]);
        }
    }

    /// <summary>Takes an entry in, in place of what was known.</summary>
    /// <exception cref="ArgumentException">It lies outside the matrix or on a diagonal of zeros.</exception>
    public void Take(PairwiseEntry entry)
    {
        bool inside = (uint)entry.Row < (uint)Pairs.Rows && (uint)entry.Column < (uint)Pairs.Columns;
        int pair = inside ? Pairs.IndexOf(entry.Row, entry.Column) : -1;
        if (pair < 0)
            throw new ArgumentException(
                $"There is no pair ({entry.Row}, {entry.Column}) to compute in this matrix.",
                nameof(entry)
            );
        (_values[pair], _errors[pair], _statuses[pair]) = (entry.Value, entry.Error, (byte)entry.Status);
    }

    /// <summary>Pairs of a part that are not known.</summary>
    public int[] Missing(int part, int parts)
    {
        var missing = new List<int>();
        for (int pair = part - 1; pair < _statuses.Length; pair += parts)
        {
            if (_statuses[pair] == None)
                missing.Add(pair);
        }
        return [.. missing];
    }

    /// <summary>The gravest status of the known pairs of a part.</summary>
    public SolverStatus Gravest(int part, int parts)
    {
        SolverStatus gravest = SolverStatus.Converged;
        for (int pair = part - 1; pair < _statuses.Length; pair += parts)
        {
            if (_statuses[pair] != None)
                gravest = Graver(gravest, (SolverStatus)_statuses[pair]);
        }
        return gravest;
    }

    /// <summary>The one that says more about why a matrix is not what was asked for.</summary>
    public static SolverStatus Graver(SolverStatus one, SolverStatus other) => Gravity(one) >= Gravity(other) ? one : other;

    public int Count(SolverStatus? status) => _statuses.AsSpan().Count((byte?)status ?? None);

    /// <summary>The largest error of a converged pair.</summary>
    public double WorstError()
    {
        double worst = 0;
        for (int pair = 0; pair < _statuses.Length; pair++)
        {
            if (_statuses[pair] == (byte)SolverStatus.Converged && _errors[pair] > worst)
                worst = _errors[pair];
        }
        return worst;
    }

    static int Gravity(SolverStatus status) =>
        status switch
        {
            SolverStatus.Converged => 0,
            SolverStatus.Stalled => 1,
            SolverStatus.IterationLimit => 2,
            SolverStatus.NumericalFailure => 3,
            SolverStatus.Infeasible => 4,
            SolverStatus.TimeLimit => 5,
            _ => 6,
        };
}
